//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/graph"
	"github.com/statefleet/statefleet/test/node"
	"github.com/statefleet/statefleet/test/prometheus"
)

// scrapeInterval is short, so that users see changes soon.
const scrapeInterval = 2 * time.Second

// services are the processes beside the cluster: Prometheus, the page with graphs, and a proxy into the cluster.
type services struct {
	cluster *node.Cluster
	out     io.Writer
	dir     string // of the kubeconfig and the data of Prometheus

	graphs, proxy net.Listener
	prometheus    *prometheus.Server
	servers       []*http.Server
	working       sync.WaitGroup
}

// listen listens on a port for the graphs, and on the next one for the proxy.
func (s *services) listen(port int) (err error) {
	for _, l := range []*net.Listener{&s.graphs, &s.proxy} {
		if *l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(fleet.Loopback, strconv.Itoa(port))); err != nil {
			return err
		}
		port++
	}
	return nil
}

// show installs the fleet, starts Prometheus and the servers, prints their addresses, and returns when ctx ends.
func (s *services) show(ctx context.Context, o options) (err error) {
	versions, err := s.cluster.Versions(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(s.out, versions)
	if s.dir, err = os.MkdirTemp("", "statefleet-stand-"); err != nil {
		return err
	}
	if err := s.cluster.CreateNamespace(ctx, namespace); err != nil {
		return err
	}
	if _, err := s.cluster.Install(ctx, "manifests/base", namespace, o.image); err != nil {
		return err
	}
	s.working.Go(func() {
		if err := s.cluster.Load(ctx, o.image); err != nil && ctx.Err() == nil {
			slog.Error("load generator failed", "err", err)
		}
	})
	s.serve(s.proxy, s.cluster.Proxy())
	proxy, kubeconfig := fleet.Address(o.port+1), filepath.Join(s.dir, "kubeconfig")
	if err := s.cluster.WriteKubeconfig(kubeconfig, proxy); err != nil {
		return err
	}
	s.prometheus, err = prometheus.Open(filepath.Join(s.dir, "prometheus"), prometheus.Options{
		Kubeconfig: kubeconfig, Proxy: proxy, Interval: scrapeInterval, Delay: scrapeInterval / 2, Rules: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	page, err := graph.New(graph.Options{
		Source: s.prometheus, Interval: scrapeInterval, Fleet: s.fleet, Scale: s.scale, Now: time.Now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.Handle("/replica/{pod}/", s.replica(proxy))
	s.serve(s.graphs, mux)
	_, _ = fmt.Fprintf(s.out, `
Graphs in Prometheus:  %s/
kubectl:               kubectl --kubeconfig=%s -n %s get pods -o wide
Status page:           %s/replica/statefleet-0/
Metrics of a replica:  http_proxy=%s curl http://ADDRESS-OF-THE-POD:8080/metrics

Ctrl-C removes everything.
`, fleet.Address(o.port), kubeconfig, namespace, fleet.Address(o.port), proxy)
	<-ctx.Done()
	return nil
}

// serve starts a server that runs until stop.
func (s *services) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	s.working.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("server failed", "address", listener.Addr(), "err", err)
		}
	})
}

// replica returns a handler that serves the status page of a pod, and its resources, under the name of the pod.
func (s *services) replica(proxy string) http.Handler {
	proxyURL, err := url.Parse(proxy)
	return &httputil.ReverseProxy{
		Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return proxyURL, err }},
		Rewrite: func(r *httputil.ProxyRequest) {
			name := r.In.PathValue("pod")
			pod, err := s.cluster.Client().CoreV1().Pods(namespace).Get(r.In.Context(), name, metav1.GetOptions{})
			if err != nil {
				slog.Error("pod of a status page not found", "pod", name, "err", err)
				return
			}
			r.Out.URL.Scheme, r.Out.URL.Host = "http", net.JoinHostPort(pod.Status.PodIP, "8081")
			r.Out.Host = "" // use that of the URL
			r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/replica/"+name)
		},
	}
}

// fleet returns the replicas with the addresses of their status pages.
func (s *services) fleet() graph.Fleet {
	now := graph.Fleet{Most: 10}
	pods, err := s.cluster.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		slog.Error("list of the fleet's pods failed", "err", err)
		return now
	}
	for _, p := range pods.Items {
		now.Replicas = append(now.Replicas, graph.Replica{Name: p.Name, Page: "/replica/" + p.Name + "/"})
	}
	return now
}

func (s *services) scale(replicas int) error {
	if replicas < 1 || replicas > 10 {
		return fmt.Errorf("replicas must be 1 to 10, got %d", replicas)
	}
	patch := fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas)
	_, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Patch(context.Background(), "statefleet",
		types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (s *services) stop() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	for _, l := range []net.Listener{s.graphs, s.proxy} {
		if l != nil {
			_ = l.Close() // its server may have closed it
		}
	}
	if s.prometheus != nil {
		errs = append(errs, s.prometheus.Close())
	}
	s.working.Wait()
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
