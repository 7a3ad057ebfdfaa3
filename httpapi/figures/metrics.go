// Package figures counts requests, and shows what a node has counted in the format of Prometheus.
// No label holds the name of a vault, an object or an application.
package figures

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
	"golang.org/x/time/rate"

	"keyquorum/httpapi/connections"
	"keyquorum/node"
)

// Metrics are a node's own registry: several nodes may live in one process.
type Metrics struct {
	registry  *prometheus.Registry
	last      atomic.Pointer[[]byte]
	strangers *rate.Limiter // of scrapes without a token, each of which takes a millisecond or two
}

// New returns the metrics of a node. held is how many lines its log has left out, end when the
// listener's certificate ends; either may be nil.
func New(n *node.Node, m *Meters, c *connections.Connections, held func() uint64,
	end func() time.Time) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{n, m, c, held, end}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Metrics{registry: r, strangers: rate.NewLimiter(5, 20)}
}

// Text gives the metrics of now; to strangers who ask too often what was last given, so that none
// of them can blind another.
func (m *Metrics) Text(authorized bool) ([]byte, error) {
	if !authorized && !m.strangers.Allow() {
		if last := m.last.Load(); last != nil {
			return *last, nil
		}
	}
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, err
		}
	}
	text := b.Bytes()
	m.last.Store(&text)
	return text, nil
}

// A collector makes metrics of what was counted, when it is asked.
type collector struct {
	n              *node.Node
	meters         *Meters
	connections    *connections.Connections
	linesHeld      func() uint64    // nil: none
	certificateEnd func() time.Time // nil: not known
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range figures {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	all := facts{Figures: c.n.Figures(), meters: c.meters, connections: c.connections,
		version: c.n.SealStatus().Version}
	if c.linesHeld != nil {
		all.linesHeld = c.linesHeld()
	}
	if c.certificateEnd != nil {
		all.certificateEnd = c.certificateEnd()
	}
	for _, f := range figures {
		if all.has(f.when) {
			f.collect(&all, out)
		}
	}
}
