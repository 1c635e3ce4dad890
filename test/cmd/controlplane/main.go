// Command controlplane is a Kubernetes control plane on loopback in one binary, for tests: etcd together with
// kube-apiserver in one process, and kube-controller-manager in another.
//
//	controlplane apiserver DATADIR ETCD_PORT PEER_PORT [kube-apiserver flags]
//	controlplane controller-manager [kube-controller-manager flags]
package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() { os.Exit(run(os.Args[1:])) }

// run hands over to the Kubernetes commands, which read os.Args themselves.
func run(args []string) int {
	switch {
	case len(args) >= 4 && args[0] == "apiserver":
		etcd, err := startEtcd(args[1], args[2], args[3])
		if err != nil {
			fmt.Fprintln(os.Stderr, "etcd:", err)
			return 1
		}
		defer etcd.Close()
		os.Args = append([]string{"kube-apiserver", "--etcd-servers=http://127.0.0.1:" + args[2]}, args[4:]...)
		return cli.Run(apiserver.NewAPIServerCommand())
	case len(args) >= 1 && args[0] == "controller-manager":
		os.Args = append([]string{"kube-controller-manager"}, args[1:]...)
		return cli.Run(controllermanager.NewControllerManagerCommand())
	}
	fmt.Fprintln(os.Stderr, "usage: controlplane apiserver DATADIR ETCD_PORT PEER_PORT [flags] | controlplane controller-manager [flags]")
	return 2
}

func startEtcd(dir, port, peerPort string) (*embed.Etcd, error) {
	client := []url.URL{{Scheme: "http", Host: "127.0.0.1:" + port}}
	peer := []url.URL{{Scheme: "http", Host: "127.0.0.1:" + peerPort}}
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = client, client
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peer, peer
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.LogLevel = "error"
	cfg.UnsafeNoFsync = true // the data need to survive the process, not the machine
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err = <-etcd.Err():
	case <-time.After(30 * time.Second):
		err = errors.New("not ready in 30 s")
	}
	etcd.Close()
	return nil, err
}
