package operators

import (
	"bytes"
	"net/http"
	"runtime/pprof"

	"github.com/prometheus/common/expfmt"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
)

// What is looked at from outside, beside sys/health: where goroutines are, and figures.

// profileRoutes are the one of Vault's profiles that shows where a node hangs, and nothing of what
// it holds. Its answer is the short form, functions and how many goroutines are in each: the long
// one has arguments, and an argument may be part of a key. It asks no other node, so that one which
// is cut off can be looked at.
func profileRoutes() []exchange.Route {
	return []exchange.Route{{Methods: get, Shape: "sys/pprof/goroutine", Operation: "sys/pprof",
		Alone: true,
		Serve: recorded(goroutines, nothing, writeGoroutines)}}
}

// goroutines stops the process for as long as it takes to look at each, so one may ask at a time.
func goroutines(c *call, _ *exchange.None) ([]byte, error) {
	if !c.plane.profiling.TryLock() {
		return nil, wire.Refuse(http.StatusTooManyRequests, "",
			"somebody else asks for it now: ask again")
	}
	defer c.plane.profiling.Unlock()
	var text bytes.Buffer
	const short = 1
	err := pprof.Lookup("goroutine").WriteTo(&text, short)
	return text.Bytes(), err
}

func writeGoroutines(c *call, text *[]byte) error {
	c.W.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	c.Shared = *text
	return nil
}

// metricsRoutes are the one that Prometheus asks. It touches no key, secret or right, so it leaves
// no usage record: one every few seconds would say nothing.
func metricsRoutes(open bool) []exchange.Route {
	return []exchange.Route{{Methods: get, Shape: "sys/metrics", Operation: "sys/metrics",
		Open:  open,
		Probe: true, Alone: true,
		Serve: exchange.Directly(showMetrics)}}
}

// textFormat is what every Prometheus reads, whatever else it says that it accepts.
var textFormat = []string{string(expfmt.NewFormat(expfmt.TypeTextPlain))}

// showMetrics answers in Prometheus' text format, with and without format=prometheus. Vault's JSON
// is not there.
func showMetrics(c *call) error {
	if f := wire.Query(c.R.URL.RawQuery, "format"); f != "" && f != "prometheus" {
		return wire.Refuse(http.StatusBadRequest, "", "the only metric format is prometheus")
	}
	text, err := c.plane.metrics.Text(c.authorized)
	if err != nil {
		return err
	}
	c.W.Header()["Content-Type"] = textFormat
	c.Shared = text
	return nil
}
