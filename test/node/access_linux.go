package node

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config is how the cluster's administrator connects, from inside of the cluster's network.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: "https://" + serviceAddress, BearerToken: c.token, QPS: -1, Dial: c.machines[0].dial,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(c.dir, "certs", "apiserver.crt")},
	}
}

// Client returns a client for the cluster's administrator.
func (c *Cluster) Client() *kubernetes.Clientset { return kubernetes.NewForConfigOrDie(c.Config()) }

// HTTP returns a client whose connections begin on a node, numbered from 1: it reaches pods by their addresses.
func (c *Cluster) HTTP(node int) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: c.machines[node-1].dial}, Timeout: 30 * time.Second}
}

// Proxy is an HTTP proxy whose connections begin on the first node: through it, programs outside of the cluster reach
// pods and the API server by their addresses.
func (c *Cluster) Proxy() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {}, // the URL of the request is absolute
		Transport: &http.Transport{DialContext: c.machines[0].dial},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { // by default it is logged, and not told
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			c.tunnel(w, r)
		case r.URL.IsAbs():
			forward.ServeHTTP(w, r)
		default:
			http.Error(w, "this is a proxy: expected an absolute URL", http.StatusBadRequest)
		}
	})
}

// tunnel connects the client of a CONNECT request with the server that it names, until one of the two ends.
func (c *Cluster) tunnel(w http.ResponseWriter, r *http.Request) {
	server, err := c.machines[0].dial(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = server.Close() }()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = client.Close() }()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var copying sync.WaitGroup
	one := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from) // an error is the end
		_ = to.Close()
	}
	copying.Go(func() { one(server, buffered) })
	copying.Go(func() { one(client, server) })
	copying.Wait()
}

// WriteKubeconfig writes a file with which kubectl reaches the API server as the administrator, through a proxy at a
// URL.
func (c *Cluster) WriteKubeconfig(path, proxy string) error {
	config, err := clientcmd.LoadFromFile(filepath.Join(c.dir, "admin.conf"))
	if err != nil {
		return err
	}
	for _, cluster := range config.Clusters {
		cluster.ProxyURL = proxy
	}
	return clientcmd.WriteToFile(*config, path)
}
