package operators

import (
	"encoding/json"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// scheduleRoutes are when the keyring is changed by itself, under the names of two generations of
// clients.
func scheduleRoutes() []exchange.Route {
	var routes []exchange.Route
	for _, shape := range []string{"sys/rotate/config", "sys/rotate/keyring/config"} {
		routes = append(routes,
			exchange.Route{Methods: get, Shape: shape, Operation: "sys/rotate/config",
				Serve: recorded(schedule, nothing, writeData)},
			exchange.Route{Methods: write, Shape: shape, Operation: "sys/rotate/set-config",
				Body:  exchange.TinyBody,
				Serve: recorded(setSchedule, nothing, exchange.NoContent)})
	}
	return routes
}

type scheduleData struct {
	Enabled       bool   `json:"enabled"`
	MaxOperations uint64 `json:"max_operations"`
	Interval      int64  `json:"interval"` // seconds; 0: however long
}

func schedule(c *call, _ *exchange.None) (scheduleData, error) {
	s, err := c.plane.n.KeyringSchedule()
	return scheduleData{s.Enabled, s.MaxOperations, int64(s.Interval / time.Second)}, nodeFailure(err)
}

// scheduleRequest changes what it has, and nothing else.
type scheduleRequest struct {
	Enabled       *bool      `json:"enabled"`
	MaxOperations *uint64    `json:"max_operations"`
	Interval      *wire.Life `json:"interval"`
}

func setSchedule(c *call, q *scheduleRequest) (exchange.None, error) {
	err := c.plane.n.SetKeyringSchedule(c.Ctx,
		func(s node.KeyringSchedule) (node.KeyringSchedule, error) {
			if q.Enabled != nil {
				s.Enabled = *q.Enabled
			}
			if q.MaxOperations != nil {
				s.MaxOperations = *q.MaxOperations
			}
			if q.Interval != nil {
				s.Interval = time.Duration(*q.Interval)
			}
			c.detail = describeSchedule(s)
			return s, nil
		})
	return exchange.None{}, nodeFailure(err)
}

func describeSchedule(s node.KeyringSchedule) string {
	b, _ := json.Marshal(scheduleData{s.Enabled, s.MaxOperations, int64(s.Interval / time.Second)})
	return string(b)
}

type rotateKeyringRequest struct {
	Drop bool `json:"drop"` // older terms, if nothing is sealed under them any more
}

func beginKeyring(c *call, q *rotateKeyringRequest) (node.Rotation, error) {
	begin := c.plane.n.RotateKeyring
	if q.Drop {
		begin, c.detail = c.plane.n.DropTerms, "drop"
	}
	if _, err := begin(c.Ctx); err != nil {
		return node.Rotation{}, nodeFailure(err)
	}
	return lookKeyring(c, nil)
}
