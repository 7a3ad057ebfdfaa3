package httpapi

import (
	"net/http"

	"github.com/prometheus/common/expfmt"

	"keyquorum/httpapi/wire"
)

// metricsRoutes are the one that Prometheus asks. It touches no key, secret or right, so it leaves
// no usage record: one every few seconds would say nothing.
func metricsRoutes(open bool) []route {
	return []route{{methods: opGet, shape: "sys/metrics", operation: "sys/metrics", open: open,
		probe: true,
		serve: directly(showMetrics)}}
}

// textFormat is what every Prometheus reads, whatever else it says that it accepts.
var textFormat = []string{string(expfmt.NewFormat(expfmt.TypeTextPlain))}

// showMetrics answers in Prometheus' text format, with and without format=prometheus. Vault's JSON
// is not there.
func showMetrics(c *opCall) error {
	if f := wire.Query(c.r.URL.RawQuery, "format"); f != "" && f != "prometheus" {
		return wire.Refuse(http.StatusBadRequest, "", "the only metric format is prometheus")
	}
	text, err := c.ops.metrics.text(c.authorized)
	if err != nil {
		return err
	}
	c.w.Header()["Content-Type"] = textFormat
	c.shared = text
	return nil
}
