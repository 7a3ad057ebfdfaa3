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
		{methods: get, shape: shape, operation: operation, serve: recorded(logLevel, nothing, writeData)},
		{methods: write, shape: shape, operation: operation, body: tinyBody,
			serve: recorded(setLogLevel, func(q *logLevelData) string { return q.Level }, noContent)},
		{methods: remove, shape: shape, operation: operation,
			serve: recorded(resetLogLevel, nothing, noContent)},
	}
}

// SetLogLevel sets another level for the whole node, which is also the one to come back to.
func (h *Handler) SetLogLevel(level hclog.Level) {
	h.logLevel.Store(int32(level))
	h.log.SetLevel(level)
}

type logLevelData struct {
	Level string `json:"level"` // "trace", "debug", "info", "warn" or "error"
}

func logLevel(c *call, _ *none) (logLevelData, error) {
	return logLevelData{c.h.log.GetLevel().String()}, nil
}

func setLogLevel(c *call, q *logLevelData) (none, error) {
	level := hclog.LevelFromString(strings.TrimSpace(q.Level))
	if level == hclog.NoLevel || level == hclog.Off {
		return none{}, wire.Refuse(http.StatusBadRequest, "",
			"level must be trace, debug, info, warn or error")
	}
	c.h.log.SetLevel(level)
	return none{}, nil
}

func resetLogLevel(c *call, _ *none) (none, error) {
	c.h.log.SetLevel(hclog.Level(c.h.logLevel.Load()))
	return none{}, nil
}
