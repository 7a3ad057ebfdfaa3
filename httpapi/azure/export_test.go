package azure

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/throttle"
	"keyquorum/httpapi/wire"
)

// What tests from outside may look at.

// BodyTypes are all types that a request body is decoded into.
func BodyTypes() map[string]func(body []byte) error {
	into := func(req func() any) func([]byte) error {
		return func(b []byte) error { return wire.Decode(b, req()) }
	}
	return map[string]func([]byte) error{
		"secret":   into(func() any { return new(secretRequest) }),
		"key":      into(func() any { return new(keyRequest) }),
		"crypto":   into(func() any { return new(cryptoRequest) }),
		"import":   into(func() any { return new(importRequest) }),
		"backup":   into(func() any { return new(valueRequest) }),
		"random":   into(func() any { return new(countRequest) }),
		"release":  into(func() any { return new(releaseRequest) }),
		"rotation": into(func() any { return new(rotationPolicy) }),
	}
}

// DecodeSecret decodes the body of a set.
func DecodeSecret(b []byte) (value []byte, err error) {
	var q secretRequest
	err = wire.Decode(b, &q)
	return q.value, err
}

// Find looks a path of the application plane up.
func Find(method, escapedPath string) (shape string, params [2]string) {
	var segments [exchange.MaxSegments]string
	var p [2]string
	rt, _, _ := exchange.Find(applicationRoutes(), method,
		exchange.SplitPath(escapedPath, true, &segments), wire.EqualFold,
		(*pair)(&p))
	if rt == nil {
		return "", params
	}
	return rt.Shape, p
}

type pair = exchange.Params

// Counting is what each request pays for being counted and throttled, and nothing else of it.
func Counting(t throttle.Limit) (request func()) {
	m := figures.NewMeters()
	routes := exchange.Metered(m, secretRoutes())
	p := &Plane{Desk: exchange.NewDesk(hclog.NewNullLogger(), m)}
	p.SetThrottle(t)
	c := &call{plane: p}
	c.Route, c.Status = &routes[0], http.StatusOK
	c.caller.Vault, c.caller.Identity.OID = "demo", "11111111-2222-3333-4444-555555555555"
	c.Req.Start = time.Now()
	p.throttle.Load().Take(throttle.Who{OID: c.caller.Identity.OID, Vault: c.caller.Vault},
		c.Req.Start,
		func(string) bool { return true })
	return func() {
		m.InFlight.Add(1)
		if err := c.unthrottled(); err != nil {
			panic(err)
		}
		routes[0].Meter.Count(c.Status, c.Req.Start)
		m.InFlight.Add(-1)
	}
}

// Panicking are handlers of the two formats whose every request panics.
func Panicking(log hclog.Logger) map[string]http.Handler {
	p := &Plane{Desk: exchange.NewDesk(log, figures.NewMeters())}
	out := make(map[string]http.Handler)
	for name, f := range map[string]format{"application": azureFormat, "login": oauthFormat} {
		out[name] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := p.newCall(w, r, f)
			c.CommonHeaders()
			c.Run(func() error {
				*c.Out = append(*c.Out, `{"value":"half an answer`...)
				panic("the canary")
			})
		})
	}
	return out
}
