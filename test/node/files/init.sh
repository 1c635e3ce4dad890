# Process 1 of a machine: it sets up mounts and network, and then executes the program that reaps child processes.
# Arguments: folder of the machine, its number, its address, cgroup v1 hierarchies or "unified", the program.
set -eu
dir=$1 number=$2 address=$3 hierarchies=$4 pause=$5
mount --make-rprivate /
mount --make-rshared / # the kubelet must see the mounts of containers
mount -t proc proc /proc
mount -t sysfs sysfs /sys
if [ "$hierarchies" = unified ]; then
  mount -t cgroup2 cgroup /sys/fs/cgroup
  mkdir /sys/fs/cgroup/machine # a cgroup that enables controllers for its children must have no processes
  echo 0 > /sys/fs/cgroup/machine/cgroup.procs
  sed 's/[^ ]*/+&/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for h in $hierarchies; do
    mkdir "/sys/fs/cgroup/$h"
    if [ "$h" = systemd ]; then mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    else mount -t cgroup -o "$h" cgroup "/sys/fs/cgroup/$h"; fi
  done
fi
# Images and pods are on the disk, where the kubelet checks the free space. Everything else is in memory.
mkdir -p "$dir/lib" "$dir/log"
mount --bind "$dir/lib" /var/lib
mount --bind "$dir/log" /var/log
mount -t tmpfs -o mode=755 tmpfs /run
# The kubelet requires these kernel settings. The files hide those of the host, which stay unchanged.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  name=${setting%=*}; file=/run/sysctl.$(echo "$name" | tr / .)
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/$name"
done
hostname "node-$number"
ip link set lo up
# A bridge without its own MAC address uses that of a port, and is unreachable for a while after the port is removed.
ip link add cni0 address "$(printf 02:00:0a:58:%02x:01 "$number")" type bridge
ip addr add "$address/16" dev cni0
ip link set cni0 up
echo 1 > /proc/sys/net/ipv4/ip_forward
# The address of the Service default/kubernetes is on node 1, where the API server is.
if [ "$number" = 1 ]; then ip addr add 10.0.0.1/32 dev lo; else ip route add 10.0.0.1/32 via 10.88.1.1; fi
mkdir /run/cni
cp "$dir/pods.conflist" /run/cni/
touch "$dir/ready"
exec "$pause"
