package operators

import (
	"net/http"
	"strings"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
)

// The level of a node's log can be changed while it runs, by the calls that Vault has for it. All
// parts of a node log at one level.
func loggerRoutes() []exchange.Route {
	const shape, operation = "sys/loggers", "sys/loggers"
	return []exchange.Route{
		{Methods: get, Shape: shape, Operation: operation, Alone: true,
			Serve: recorded(logLevel, nothing, writeData)},
		{Methods: write, Shape: shape, Operation: operation, Body: exchange.TinyBody,
			Serve: recorded(setLogLevel, func(q *logLevelData) string { return q.Level },
				exchange.NoContent)},
		{Methods: remove, Shape: shape, Operation: operation,
			Serve: recorded(resetLogLevel, nothing, exchange.NoContent)},
	}
}

// SetLogLevel sets another level for the whole node, which is also the one to come back to.
func (p *Plane) SetLogLevel(level hclog.Level) {
	p.logLevel.Store(int32(level))
	p.Log.SetLevel(level)
}

type logLevelData struct {
	Level string `json:"level"` // "trace", "debug", "info", "warn" or "error"
}

func logLevel(c *call, _ *exchange.None) (logLevelData, error) {
	return logLevelData{c.plane.Log.GetLevel().String()}, nil
}

func setLogLevel(c *call, q *logLevelData) (exchange.None, error) {
	level := hclog.LevelFromString(strings.TrimSpace(q.Level))
	if level == hclog.NoLevel || level == hclog.Off {
		return exchange.None{}, wire.Refuse(http.StatusBadRequest, "",
			"level must be trace, debug, info, warn or error")
	}
	c.plane.Log.SetLevel(level)
	return exchange.None{}, nil
}

func resetLogLevel(c *call, _ *exchange.None) (exchange.None, error) {
	c.plane.Log.SetLevel(hclog.Level(c.plane.logLevel.Load()))
	return exchange.None{}, nil
}
