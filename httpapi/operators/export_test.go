package operators

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// What tests from outside may look at.

// BodyTypes are all types that a request body is decoded into.
func BodyTypes() map[string]func(body []byte) error {
	into := func(req func() any) func([]byte) error {
		return func(b []byte) error { return wire.Decode(b, req()) }
	}
	return map[string]func([]byte) error{
		"init":       into(func() any { return new(initRequest) }),
		"unseal":     into(func() any { return new(unsealRequest) }),
		"join":       into(func() any { return new(joinRequest) }),
		"challenge":  into(func() any { return new(joining.ChallengeBody) }),
		"answer":     into(func() any { return new(joining.AnswerBody) }),
		"remove":     into(func() any { return new(removeRequest) }),
		"vault":      into(func() any { return new(vaultRequest) }),
		"grant":      into(func() any { return new(grantRequest) }),
		"app":        into(func() any { return new(appRequest) }),
		"enabled":    into(func() any { return new(enabledRequest) }),
		"credential": into(func() any { return new(credentialRequest) }),
	}
}

func DecodeShare(text []byte) ([]byte, error) { return decodeShare(text) }

func HealthCode(h node.Health, leaderKnown bool, query string) (int, error) {
	return healthCode(h, leaderKnown, query)
}

// Outlook is what sys/ha-status says in words of a survey.
func Outlook(s node.Survey) []string { return haStatusOf(s, time.Now()).Outlook }

// Panicking has every request panic.
func Panicking(log hclog.Logger) http.Handler {
	p := &Plane{Desk: exchange.NewDesk(log, figures.NewMeters())}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.newCall(w, r)
		c.CommonHeaders()
		c.Run(func() error {
			*c.Out = append(*c.Out, `{"value":"half an answer`...)
			panic("the canary")
		})
	})
}
