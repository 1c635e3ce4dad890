package node

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statefleet/statefleet/test/controlplane"
)

// Config returns a configuration for clients with the administrator's rights. They connect from inside the cluster's
// network.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: "https://" + serviceAddress, BearerToken: c.token, QPS: -1, Dial: c.machines[0].dial,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(c.dir, controlplane.CAFile)},
	}
}

// Client returns a client with the administrator's rights.
func (c *Cluster) Client() *kubernetes.Clientset { return kubernetes.NewForConfigOrDie(c.Config()) }

// Proxy returns an HTTP proxy that connects from the first node. Through it, programs outside the cluster reach pods
// and the API server by their addresses.
func (c *Cluster) Proxy() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {}, // the URL of the request is absolute
		Transport: &http.Transport{DialContext: c.machines[0].dial},
		// The default handler logs the error and hides it from the client.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
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

// tunnel connects the client of a CONNECT request with the server that it names, until one of them closes its
// connection.
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
	copyTo := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from) // an error ends the tunnel
		_ = to.Close()
	}
	copying.Go(func() { copyTo(server, buffered) })
	copying.Go(func() { copyTo(client, server) })
	copying.Wait()
}

// WriteKubeconfig writes a kubeconfig with the administrator's rights to path. Its connections go through the proxy at
// a URL.
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
