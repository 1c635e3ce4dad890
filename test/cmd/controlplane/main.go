// Command controlplane has the programs of a Kubernetes control plane in one binary, for tests on loopback. etcd and
// kube-apiserver run in one process, and each other program in its own.
//
//	controlplane apiserver DATADIR ETCD_PORT PEER_PORT [kube-apiserver flags]
//	controlplane controller-manager [kube-controller-manager flags]
//	controlplane scheduler [kube-scheduler flags]
//	controlplane kubelet [kubelet flags]
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() { os.Exit(run(os.Args[1:])) }

// run runs one of the Kubernetes commands. It sets os.Args, because they read it.
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
	case len(args) >= 1 && args[0] == "scheduler":
		os.Args = append([]string{"kube-scheduler"}, args[1:]...)
		return cli.Run(scheduler.NewSchedulerCommand())
	case len(args) >= 1 && args[0] == "kubelet":
		os.Args = append([]string{"kubelet"}, args[1:]...)
		return cli.Run(kubelet.NewKubeletCommand(context.Background()))
	}
	fmt.Fprintln(os.Stderr, "usage: controlplane apiserver DATADIR ETCD_PORT PEER_PORT [flags] | "+
		"controlplane controller-manager|scheduler|kubelet [flags]")
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
	cfg.UnsafeNoFsync = true // the data must survive the end of the process, but no crash of the machine
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
