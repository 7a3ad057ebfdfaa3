package httpapi

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
		{Methods: opGet, Shape: shape, Operation: operation,
			Serve: recorded(logLevel, nothing, writeData)},
		{Methods: opWrite, Shape: shape, Operation: operation, Body: exchange.TinyBody,
			Serve: recorded(setLogLevel, func(q *logLevelData) string { return q.Level },
				exchange.NoContent)},
		{Methods: opRemove, Shape: shape, Operation: operation,
			Serve: recorded(resetLogLevel, nothing, exchange.NoContent)},
	}
}

// SetLogLevel sets another level for the whole node, which is also the one to come back to.
func (p *operators) SetLogLevel(level hclog.Level) {
	p.logLevel.Store(int32(level))
	p.Log.SetLevel(level)
}

type logLevelData struct {
	Level string `json:"level"` // "trace", "debug", "info", "warn" or "error"
}

func logLevel(c *opCall, _ *exchange.None) (logLevelData, error) {
	return logLevelData{c.ops.Log.GetLevel().String()}, nil
}

func setLogLevel(c *opCall, q *logLevelData) (exchange.None, error) {
	level := hclog.LevelFromString(strings.TrimSpace(q.Level))
	if level == hclog.NoLevel || level == hclog.Off {
		return exchange.None{}, wire.Refuse(http.StatusBadRequest, "",
			"level must be trace, debug, info, warn or error")
	}
	c.ops.Log.SetLevel(level)
	return exchange.None{}, nil
}

func resetLogLevel(c *opCall, _ *exchange.None) (exchange.None, error) {
	c.ops.Log.SetLevel(hclog.Level(c.ops.logLevel.Load()))
	return exchange.None{}, nil
}
