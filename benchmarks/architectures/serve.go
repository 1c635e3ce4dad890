package architectures

import (
	"context"
	"errors"
	"net"
	"net/http"
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

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// The kinds of exporters that this package serves.
const (
	asRegistry  = "registry"  // copies values from a cache into a registry every few seconds
	asCleared   = "cleared"   // the same, but clears the registry before each copy
	asCollector = "collector" // collects metrics from a cache for each scrape
)

// caches hold all objects, decoded and up to date.
type caches struct {
	pods corelisters.PodLister
	jobs batchlisters.JobLister
}

// exporter is an exporter other than statefleet.
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
		for err := error(nil); err == nil; err = fleet.Pause(ctx, x.refresh) {
			gauges.copy(c)
			ready.Store(true)
		}
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

// withoutManagedFields removes fields that no metric needs and that are a large part of an object, as is usual
// for caches.
func withoutManagedFields(o any) (any, error) {
	if m, err := meta.Accessor(o); err == nil {
		m.SetManagedFields(nil)
	}
	return o, nil
}

// each calls emit for every metric of every cached object, with the index of its family.
func (c caches) each(emit func(i int, value float64, labels ...string)) error {
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	jobs, err := c.jobs.List(labels.Everything())
	if err != nil {
		return err
	}
	for i, f := range families() {
		of := func(value float64, labels ...string) { emit(i, value, labels...) }
		if f.job != nil {
			for _, j := range jobs {
				f.job(j, of)
			}
			continue
		}
		for _, p := range pods {
			f.pod(p, of)
		}
	}
	return nil
}

// gauges are the vectors of the registry. A label set stays after its object is deleted, because the registry
// does not know the object. Clearing all vectors before each copy avoids that, but an exposition during a copy
// then lacks series.
type gauges struct {
	vectors []*prometheus.GaugeVec
	clear   bool
}

func newGauges(r prometheus.Registerer, clear bool) gauges {
	g := gauges{clear: clear}
	for _, f := range families() {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.name, Help: f.name}, f.labels)
		r.MustRegister(v)
		g.vectors = append(g.vectors, v)
	}
	return g
}

func (g gauges) copy(c caches) {
	if g.clear {
		for _, v := range g.vectors {
			v.Reset()
		}
	}
	_ = c.each(func(i int, value float64, labels ...string) { // listing a cache does not fail
		g.vectors[i].WithLabelValues(labels...).Set(value)
	})
}

// collector collects metrics from the cache for each scrape.
type collector struct {
	caches
	descs []*prometheus.Desc
}

func newCollector(c caches) *collector {
	made := &collector{caches: c}
	for _, f := range families() {
		made.descs = append(made.descs, prometheus.NewDesc(f.name, f.name, f.labels, nil))
	}
	return made
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	_ = c.each(func(i int, value float64, labels ...string) { // listing a cache does not fail
		ch <- prometheus.MustNewConstMetric(c.descs[i], prometheus.GaugeValue, value, labels...)
	})
}
