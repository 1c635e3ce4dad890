# Process 1 of a machine: makes mounts and network, then becomes the program that reaps.
# Arguments: folder of the machine, its number, its address, hierarchies of cgroup v1 or "unified", the program.
set -eu
dir=$1 number=$2 address=$3 hierarchies=$4 pause=$5
mount --make-rprivate /
mount --make-rshared / # containers want their mounts to reach the kubelet
mount -t proc proc /proc
mount -t sysfs sysfs /sys
if [ "$hierarchies" = unified ]; then
  mount -t cgroup2 cgroup /sys/fs/cgroup
  mkdir /sys/fs/cgroup/machine # a cgroup that hands out controllers has no processes
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
# Images and pods are on the disk, where the kubelet looks for free space; all else is in memory.
mkdir -p "$dir/lib" "$dir/log"
mount --bind "$dir/lib" /var/lib
mount --bind "$dir/log" /var/log
mount -t tmpfs -o mode=755 tmpfs /run
# Kernel settings that the kubelet insists on: it finds them as it wants them, and those of the machine stay.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  name=${setting%=*}; file=/run/sysctl.$(echo "$name" | tr / .)
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/$name"
done
hostname "node-$number"
ip link set lo up
# Without an address of its own, a bridge takes that of a port, and is not found for a while when the port goes.
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
