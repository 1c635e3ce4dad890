package fleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Shard is one running shard.
type Shard struct {
	// Base is the URL of the port that its metrics are on.
	Base string
	// Metrics and Telemetry are the URLs of its two pages.
	Metrics, Telemetry string
	// PID is its process.
	PID int
}

// Self is what a shard says of itself.
type Self struct{ families map[string]*dto.MetricFamily }

// Self reads the shard's telemetry.
func (s *Shard) Self(ctx context.Context) (Self, error) {
	body, err := get(ctx, s.Telemetry, "identity")
	if err != nil {
		return Self{}, err
	}
	defer func() { _ = body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	return Self{families}, err
}

// Ready reports whether the shard serves all that it must.
func (s Self) Ready() bool { return s.Sum("statefleet_ready") == 1 }

// Sum adds up the samples of a family; with a label name and value, those that
// have it.
func (s Self) Sum(name string, label ...string) float64 {
	sum := 0.0
	for _, m := range s.families[name].GetMetric() {
		match := len(label) == 0
		for _, l := range m.GetLabel() {
			match = match || l.GetName() == label[0] && l.GetValue() == label[1]
		}
		if match {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// Answers reports whether a path of the port with the metrics answers 200.
func (s *Shard) Answers(ctx context.Context, path string) bool {
	body, err := get(ctx, s.Base+path, "identity")
	if err != nil {
		return false
	}
	return body.Close() == nil
}

// Scrape is the outcome of one scrape.
type Scrape struct {
	Bytes  int64
	Took   time.Duration
	Series int64 // counted in identity scrapes only
}

// Scrape takes the page as Prometheus would, with the encoding gzip or identity.
func (s *Shard) Scrape(ctx context.Context, encoding string) (Scrape, error) {
	start := time.Now()
	body, err := get(ctx, s.Metrics, encoding)
	if err != nil {
		return Scrape{}, err
	}
	defer func() { _ = body.Close() }()
	var samples sampleCounter
	sink := io.Discard
	if encoding == "identity" {
		sink = &samples
	}
	n, err := io.Copy(sink, body)
	return Scrape{Bytes: n, Took: time.Since(start), Series: samples.n}, err
}

// sampleCounter counts lines that don't begin with #.
type sampleCounter struct {
	n      int64
	inLine bool
}

// Write implements io.Writer. It must not be what a scrape waits for.
func (c *sampleCounter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if !c.inLine && rest[0] != '#' {
			c.n++
		}
		end := bytes.IndexByte(rest, '\n')
		if c.inLine = end < 0; c.inLine {
			break
		}
		rest = rest[end+1:]
	}
	return len(p), nil
}

// get takes a page as it comes: no transport inflates it.
func get(ctx context.Context, url, encoding string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Body, nil
}
