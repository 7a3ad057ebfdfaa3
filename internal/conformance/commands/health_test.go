package commands_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// healthRow is the call that both clients have, and no command: balancers and probes ask it.
func healthRow() command {
	same := func(sealed bool) prints {
		return prints{"Initialized": true, "Sealed": sealed, "Standby": judge(follows),
			"Version": "test", "ServerTimeUTC": judge(some), "ReplicationPerformanceMode": "disabled",
			"ReplicationDRMode": "disabled"}
	}
	return command{name: "sys/health", open: true, steps: []step{
		{asks: "GET health", call: get((*bao.Sys).Health, (*vault.Sys).Health), answers: same(false),
			sealed: same(true)},
	}}
}

func follows(s *scene, got any) bool { return got == !s.leads }

// A probe is a query of sys/health and the status of its answer.
type probe struct {
	query  string
	status int
}

// probes: a query names the status for a state, and counts in that state alone.
func probes(blank, removed, sealed, leads bool) []probe {
	others := "?activecode=298&standbycode=298&sealedcode=298&uninitcode=298&removedcode=298&" +
		"performancestandbycode=298&haunhealthycode=298&drsecondarycode=298"
	state := func(usual int, name string) []probe {
		return []probe{
			{"", usual}, {"?" + name + "=299", 299}, {others, 298}, {others + "&" + name + "=", 298},
			{"?" + name + "=none", 400}, {"?drsecondarycode=299", usual},
		}
	}
	switch {
	case blank:
		return state(501, "uninitcode")
	case removed:
		return state(530, "removedcode")
	case sealed:
		return append(state(503, "sealedcode"), probe{"?standbyok=true&perfstandbyok=true", 503})
	case leads:
		return append(state(200, "activecode"), probe{"?standbyok=true", 200})
	}
	return append(state(473, "performancestandbycode"), probe{"?standbyok=true", 200},
		probe{"?perfstandbyok=true", 200}, probe{"?standbycode=299", 299},
		probe{"?perfstandbyok=maybe", 400})
}

// probed asks node i by GET and HEAD: the statuses are the same, and HEAD has no body.
func (s *scene) probed(i int, list []probe) error {
	for _, p := range list {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r, err := http.NewRequestWithContext(s.t.Context(), method,
				s.c.URL(i)+"/v1/sys/health"+p.query, nil)
			if err != nil {
				return err
			}
			answer, err := s.c.Client(i).Do(r)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != p.status ||
				(method == http.MethodHead) != (len(body) == 0) ||
				method == http.MethodGet && !bytes.HasPrefix(body, []byte("{")) {
				return fmt.Errorf("%s health%s is %d and not %d: %s (%v)", method, p.query,
					answer.StatusCode, p.status, body, err)
			}
		}
	}
	return nil
}
