package fleet

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
)

// Replica is a running exporter. All methods may be called concurrently.
type Replica struct {
	*Process
	// URL and Telemetry are the URLs of the main port and of the telemetry port, without a path.
	URL, Telemetry string
	// Client sends the requests. It must not decompress responses. Its timeout is long enough for slow exporters.
	Client *http.Client
	// Token is the bearer token of each request, unless it is empty.
	Token string
}

// Launch starts an exporter whose arguments make it listen at the given URLs. The caller ends it.
func Launch(name, path, url, telemetry string, args []string) (*Replica, error) {
	child, err := StartProcess(name, path, args...)
	if err != nil {
		return nil, err
	}
	return &Replica{Process: child, URL: url, Telemetry: telemetry, Client: &http.Client{
		Transport: &http.Transport{DisableCompression: true},
		Timeout:   5 * time.Minute,
	}}, nil
}

// Kill kills the process, and closes idle connections to it.
func (r *Replica) Kill() {
	r.Process.Kill()
	r.Client.CloseIdleConnections()
}

// Open sends a GET request that accepts the given encoding. The caller closes the body of the response.
func (r *Replica) Open(ctx context.Context, url, encoding string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	request.Header.Set("Accept-Encoding", encoding)
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	return r.Client.Do(request)
}

// Read sends a GET request and passes the decompressed body to read, which need not read all of it. Any status
// but 200 is an error.
func (r *Replica) Read(ctx context.Context, url string, read func(io.Reader) error) error {
	response, err := r.Open(ctx, url, "gzip")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // the status suffices
		return fmt.Errorf("%s: got status %s, want 200: %s", url, response.Status, text)
	}
	body, err := decompressed(response)
	if err != nil {
		return err
	}
	if err := read(body); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body) // so that the connection can be reused
	return err
}

func decompressed(response *http.Response) (io.Reader, error) {
	if response.Header.Get("Content-Encoding") != "gzip" {
		return response.Body, nil
	}
	return gzip.NewReader(response.Body)
}

// Answer is a response with its decompressed body.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get sends a GET request for the text format that accepts gzip, as Prometheus does. A status other than 200 is not an
// error.
func (r *Replica) Get(ctx context.Context, url string) (Answer, error) {
	response, err := r.Open(ctx, url, "gzip")
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	body, err := decompressed(response)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(body)
		answer.Body = string(text)
	}
	if err != nil {
		return answer, fmt.Errorf("reading %s: %w", url, err)
	}
	return answer, nil
}

// Ask returns an error unless a GET request for a path of the main port returns 200.
func (r *Replica) Ask(ctx context.Context, path string) error {
	return r.Read(ctx, r.URL+path, func(io.Reader) error { return nil })
}

// Metrics fetches and parses /metrics of the main port.
func (r *Replica) Metrics(ctx context.Context) (exposition.Exposition, error) {
	return r.fetch(ctx, r.URL+"/metrics")
}

// SelfMetrics fetches and parses /metrics of the telemetry port.
func (r *Replica) SelfMetrics(ctx context.Context) (exposition.Exposition, error) {
	return r.fetch(ctx, r.Telemetry+"/metrics")
}

func (r *Replica) fetch(ctx context.Context, url string) (metrics exposition.Exposition, err error) {
	err = r.Read(ctx, url, func(body io.Reader) (err error) {
		metrics, err = exposition.Parse(body)
		return err
	})
	return metrics, err
}

// Lines fetches /metrics of the main port and counts its sample lines. It takes far less memory than Metrics.
func (r *Replica) Lines(ctx context.Context) (exposition.Lines, error) {
	lines := exposition.Lines{}
	return lines, r.Read(ctx, r.URL+"/metrics", lines.Add)
}

// Scrape is the outcome of one scrape.
type Scrape struct {
	Bytes  int64 // of the body, as transferred
	Took   time.Duration
	Series int64 // counted only with the encoding identity
}

// Scrape fetches /metrics of the main port as Prometheus does, with the encoding gzip or identity. It does not
// decompress the body.
func (r *Replica) Scrape(ctx context.Context, encoding string) (Scrape, error) {
	start := time.Now()
	response, err := r.Open(ctx, r.URL+"/metrics", encoding)
	if err != nil {
		return Scrape{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Scrape{}, fmt.Errorf("%s/metrics: got status %s, want 200", r.URL, response.Status)
	}
	var s Scrape
	body := counter{response.Body, &s.Bytes}
	if encoding == "identity" {
		err = exposition.Samples(body, func([]byte) { s.Series++ })
	} else {
		_, err = io.Copy(io.Discard, body)
	}
	s.Took = time.Since(start)
	return s, err
}

// counter adds the number of bytes read to n.
type counter struct {
	io.Reader
	n *int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}
