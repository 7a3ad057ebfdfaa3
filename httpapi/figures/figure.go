package figures

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyquorum/httpapi/connections"
	"keyquorum/internal/tally"
	"keyquorum/node"
)

// A figure is one name among the metrics: what it means, and how its samples are made of what the
// node has counted.
type figure struct {
	name, help string
	kind       prometheus.ValueType // of plain samples
	shape      string               // "gauge", "counter", "summary" or "histogram"
	labels     []string
	when       when
	desc       *prometheus.Desc
	collect    func(f *facts, out chan<- prometheus.Metric)
}

// when says which nodes have a figure.
type when uint8

const (
	always   when = iota
	onMember      // with data
	onLeader
)

// facts are what the figures of one scrape are made of.
type facts struct {
	node.Figures
	meters         *Meters
	connections    *connections.Connections
	linesHeld      uint64
	version        string
	certificateEnd time.Time // zero: not known
}

func (f *facts) has(w when) bool {
	switch w {
	case onMember:
		return f.Cluster != nil
	case onLeader:
		return f.Cluster != nil && f.Cluster.Leads
	}
	return true
}

// emit takes one sample and the values of the figure's labels.
type emit func(value float64, labels ...string)

// emitDistribution takes one distribution and the values of the figure's labels.
type emitDistribution func(d tally.Distribution, labels ...string)

func gauge(w when, name, help string, value func(f *facts) float64) figure {
	return gauges(w, name, help, nil, func(f *facts, e emit) { e(value(f)) })
}

func counter(w when, name, help string, value func(f *facts) uint64) figure {
	return counters(w, name, help, nil, func(f *facts, e emit) { e(float64(value(f))) })
}

func gauges(w when, name, help string, labels []string, each func(f *facts, e emit)) figure {
	return samples(figure{name: name, help: help, kind: prometheus.GaugeValue, shape: "gauge",
		labels: labels, when: w}, each)
}

func counters(w when, name, help string, labels []string, each func(f *facts, e emit)) figure {
	return samples(figure{name: name, help: help, kind: prometheus.CounterValue, shape: "counter",
		labels: labels, when: w}, each)
}

func samples(g figure, each func(f *facts, e emit)) figure {
	g.desc = prometheus.NewDesc(g.name, g.help, g.labels, nil)
	g.collect = func(f *facts, out chan<- prometheus.Metric) {
		each(f, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(g.desc, g.kind, value, labels...)
		})
	}
	return g
}

// histogram has seconds.
func histogram(w when, name, help string, value func(f *facts) tally.Distribution) figure {
	return histograms(w, name, help, nil, func(f *facts, e emitDistribution) { e(value(f)) })
}

func histograms(w when, name, help string, labels []string,
	each func(f *facts, e emitDistribution)) figure {
	g := figure{name: name, help: help, shape: "histogram", labels: labels, when: w,
		desc: prometheus.NewDesc(name, help, labels, nil)}
	g.collect = func(f *facts, out chan<- prometheus.Metric) {
		each(f, func(d tally.Distribution, labels ...string) {
			out <- prometheus.MustNewConstHistogram(g.desc, d.Count(), d.Sum.Seconds(), upTo(d), labels...)
		})
	}
	return g
}

// upTo counts what is no longer than each edge, in seconds.
func upTo(d tally.Distribution) map[float64]uint64 {
	buckets := make(map[float64]uint64, len(tally.Bounds))
	below := uint64(0)
	for i, bound := range tally.Bounds {
		below += d.Buckets[i]
		buckets[bound.Seconds()] = below
	}
	return buckets
}

// summary has Vault's shape: a sum in milliseconds and a count, without quantiles.
func summary(w when, name, help string, value func(f *facts) tally.Distribution) figure {
	g := figure{name: name, help: help, shape: "summary", when: w,
		desc: prometheus.NewDesc(name, help, nil, nil)}
	g.collect = func(f *facts, out chan<- prometheus.Metric) {
		d := value(f)
		out <- prometheus.MustNewConstSummary(g.desc, d.Count(), inMillis(d.Sum), nil)
	}
	return g
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// truth is 1 for yes.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
