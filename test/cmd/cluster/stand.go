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

// scrapeInterval is short, so that graphs move while one looks.
const scrapeInterval = 2 * time.Second

// stand is what a person uses of a cluster: pages, Prometheus and the proxy.
type stand struct {
	cluster *node.Cluster
	out     io.Writer
	dir     string // of files of this process

	graphs, proxy net.Listener
	prometheus    *prometheus.Server
	servers       []*http.Server
	working       sync.WaitGroup
}

// listen takes a port of this machine for the graphs, and the next one for the proxy.
func (s *stand) listen(port int) (err error) {
	for _, l := range []*net.Listener{&s.graphs, &s.proxy} {
		if *l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(fleet.Loopback, strconv.Itoa(port))); err != nil {
			return err
		}
		port++
	}
	return nil
}

// show installs the fleet, starts what shows it, says where that is, and returns when ctx ends.
func (s *stand) show(ctx context.Context, o options) (err error) {
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
	if _, err := s.cluster.Install(ctx, o.fleet, namespace, o.image); err != nil {
		return err
	}
	s.working.Go(func() {
		if err := s.cluster.Load(ctx, o.image); err != nil && ctx.Err() == nil {
			slog.Error("no load", "err", err)
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
		Source: s.prometheus, Interval: scrapeInterval, Fleet: s.fleet, Scale: s.scale, Now: time.Now, Log: slog.Default(),
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
a replica's page:      %s/replica/statefleet-0/
its metrics:           http_proxy=%s curl http://ADDRESS-OF-THE-POD:8080/metrics

Ctrl-C removes everything.
`, fleet.Address(o.port), kubeconfig, namespace, fleet.Address(o.port), proxy)
	<-ctx.Done()
	return nil
}

// serve serves until the end.
func (s *stand) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	s.working.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("serving", "address", listener.Addr(), "err", err)
		}
	})
}

// replica serves the status page of a pod of the fleet, and what it refers to, under the pod's name.
func (s *stand) replica(proxy string) http.Handler {
	through, err := url.Parse(proxy)
	return &httputil.ReverseProxy{
		Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return through, err }},
		Rewrite: func(r *httputil.ProxyRequest) {
			name := r.In.PathValue("pod")
			pod, err := s.cluster.Client().CoreV1().Pods(namespace).Get(r.In.Context(), name, metav1.GetOptions{})
			if err != nil {
				slog.Error("page of a replica", "pod", name, "err", err)
				return
			}
			r.Out.URL.Scheme, r.Out.URL.Host = "http", net.JoinHostPort(pod.Status.PodIP, "8081")
			r.Out.Host = "" // that of the URL
			r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/replica/"+name)
		},
	}
}

// fleet is the replicas with the addresses of their status pages.
func (s *stand) fleet() graph.Fleet {
	now := graph.Fleet{Most: 10}
	pods, err := s.cluster.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		slog.Error("pods of the fleet", "err", err)
		return now
	}
	for _, p := range pods.Items {
		now.Replicas = append(now.Replicas, graph.Replica{Name: p.Name, Page: "/replica/" + p.Name + "/"})
	}
	return now
}

func (s *stand) scale(replicas int) error {
	if replicas < 1 || replicas > 10 {
		return fmt.Errorf("replicas must be 1 to 10, got %d", replicas)
	}
	patch := fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas)
	_, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Patch(context.Background(), "statefleet",
		types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (s *stand) stop() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	for _, l := range []net.Listener{s.graphs, s.proxy} {
		if l != nil {
			_ = l.Close() // a server may have done so
		}
	}
	if s.prometheus != nil {
		errs = append(errs, s.prometheus.Close())
	}
	s.working.Wait()
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
