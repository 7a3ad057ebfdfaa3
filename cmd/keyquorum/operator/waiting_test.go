package operator

import (
	"errors"
	"net/http"
	"testing"
)

// A node that is slow says why, where it can.
func TestWhatIsWaitedFor(t *testing.T) {
	for want, answer := range map[string]fakeNode{
		"https://node: no leader answers this node": func(*http.Request) (int, any) {
			return 200, map[string]any{"sealed": false, "trouble": "no leader answers this node"}
		},
		"https://node: it has its shares, and looks for a leader": func(*http.Request) (int, any) {
			return 200, map[string]any{"sealed": true, "waiting": true}
		},
		"https://node to answer": func(*http.Request) (int, any) { return 200, map[string]any{} },
	} {
		c := &Client{Base: "https://node", HTTP: &http.Client{Transport: answer}}
		if got := c.waitedFor(t.Context()); got != want {
			t.Errorf("it waits for %q, want %q", got, want)
		}
	}
	c := &Client{Base: "https://node", HTTP: &http.Client{Transport: deaf{}}}
	if got := c.waitedFor(t.Context()); got != "https://node to answer" {
		t.Errorf("of one that does not answer it says %q", got)
	}
}

type deaf struct{}

func (deaf) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nobody there") }
