package architectures

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// The architectures that are served here.
const (
	asRegistry  = "registry"  // values are copied from a cache into a registry every few seconds
	asCleared   = "cleared"   // the same, into a registry that is emptied before
	asCollector = "collector" // metrics are made of a cache for each scrape
)

// caches hold every object, decoded and kept up to date.
type caches struct {
	pods corelisters.PodLister
	jobs batchlisters.JobLister
}

// exporter is one of the exporters that are not statefleet.
type exporter struct {
	as, kubeconfig string
	port           int
	refresh        time.Duration
}

// serve runs the exporter until ctx ends.
func (x exporter) serve(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", x.kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(withoutManagedFields))
	c := caches{factory.Core().V1().Pods().Lister(), factory.Batch().V1().Jobs().Lister()}
	registry := prometheus.NewRegistry()
	var ready atomic.Bool
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		factory.StartWithContext(ctx)
		factory.WaitForCacheSync(ctx.Done())
		if x.as == asCollector {
			registry.MustRegister(newCollector(c))
			ready.Store(true)
			return
		}
		gauges := newGauges(registry, x.as == asCleared)
		gauges.copy(c)
		ready.Store(true)
		gauges.keepCopying(ctx, c, x.refresh)
	})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(x.port)), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	factory.Shutdown()
	return nil
}

// withoutManagedFields drops fields that no metric is made of and that are a large part of an object, as
// is usual for caches.
func withoutManagedFields(o any) (any, error) {
	if m, err := meta.Accessor(o); err == nil {
		m.SetManagedFields(nil)
	}
	return o, nil
}

// each gives every cached object to the functions.
func (c caches) each(pod func(i int, value float64, labels ...string), job func(i int, value float64, labels ...string)) error {
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	for i, f := range podFamilies() {
		for _, p := range pods {
			f.emit(p, func(value float64, labels ...string) { pod(i, value, labels...) })
		}
	}
	jobs, err := c.jobs.List(labels.Everything())
	if err != nil {
		return err
	}
	for i, f := range jobFamilies() {
		for _, j := range jobs {
			f.emit(j, func(value float64, labels ...string) { job(i, value, labels...) })
		}
	}
	return nil
}

// gauges are the registry's vectors. A label set that was set once stays: the
// registry does not know which object it was of. Clearing all before each copy
// ends that, at the price of pages that lack what is not copied yet.
type gauges struct {
	pods, jobs []*prometheus.GaugeVec
	clear      bool
}

func newGauges(r prometheus.Registerer, clear bool) gauges {
	g := gauges{clear: clear}
	vector := func(name string, labels []string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: name}, labels)
		r.MustRegister(v)
		return v
	}
	for _, f := range podFamilies() {
		g.pods = append(g.pods, vector(f.name, f.labels))
	}
	for _, f := range jobFamilies() {
		g.jobs = append(g.jobs, vector(f.name, f.labels))
	}
	return g
}

func (g gauges) copy(c caches) {
	if g.clear {
		for _, v := range slices.Concat(g.pods, g.jobs) {
			v.Reset()
		}
	}
	_ = c.each( // listing a cache does not fail
		func(i int, value float64, labels ...string) { g.pods[i].WithLabelValues(labels...).Set(value) },
		func(i int, value float64, labels ...string) { g.jobs[i].WithLabelValues(labels...).Set(value) })
}

func (g gauges) keepCopying(ctx context.Context, c caches, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.copy(c)
		}
	}
}

// collector makes metrics of the cache when it is asked.
type collector struct {
	caches
	pods, jobs []*prometheus.Desc
}

func newCollector(c caches) *collector {
	made := &collector{caches: c}
	for _, f := range podFamilies() {
		made.pods = append(made.pods, prometheus.NewDesc(f.name, f.name, f.labels, nil))
	}
	for _, f := range jobFamilies() {
		made.jobs = append(made.jobs, prometheus.NewDesc(f.name, f.name, f.labels, nil))
	}
	return made
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(c.pods, c.jobs) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	send := func(descs []*prometheus.Desc) func(int, float64, ...string) {
		return func(i int, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(descs[i], prometheus.GaugeValue, value, labels...)
		}
	}
	_ = c.each(send(c.pods), send(c.jobs)) // listing a cache does not fail
}
