package httpapi

import (
	"net/http"
	"strings"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/wire"
)

// The level of a node's log can be changed while it runs, by the calls that Vault has for it. All
// parts of a node log at one level.
func loggerRoutes() []route {
	const shape, operation = "sys/loggers", "sys/loggers"
	return []route{
		{methods: opGet, shape: shape, operation: operation, serve: recorded(logLevel, nothing, writeData)},
		{methods: opWrite, shape: shape, operation: operation, body: tinyBody,
			serve: recorded(setLogLevel, func(q *logLevelData) string { return q.Level }, noContent)},
		{methods: opRemove, shape: shape, operation: operation,
			serve: recorded(resetLogLevel, nothing, noContent)},
	}
}

// SetLogLevel sets another level for the whole node, which is also the one to come back to.
func (p *operators) SetLogLevel(level hclog.Level) {
	p.logLevel.Store(int32(level))
	p.log.SetLevel(level)
}

type logLevelData struct {
	Level string `json:"level"` // "trace", "debug", "info", "warn" or "error"
}

func logLevel(c *opCall, _ *none) (logLevelData, error) {
	return logLevelData{c.ops.log.GetLevel().String()}, nil
}

func setLogLevel(c *opCall, q *logLevelData) (none, error) {
	level := hclog.LevelFromString(strings.TrimSpace(q.Level))
	if level == hclog.NoLevel || level == hclog.Off {
		return none{}, wire.Refuse(http.StatusBadRequest, "",
			"level must be trace, debug, info, warn or error")
	}
	c.ops.log.SetLevel(level)
	return none{}, nil
}

func resetLogLevel(c *opCall, _ *none) (none, error) {
	c.ops.log.SetLevel(hclog.Level(c.ops.logLevel.Load()))
	return none{}, nil
}
