package commands_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A wire passes requests on, and looks at what clients don't show of the answers.
type wire struct {
	to        http.RoundTripper
	calls     []string // method and path below /v1/
	complaint error    // about the last answer
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.calls = append(w.calls, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1/"))
	answer, err := w.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.complaint = w.look(answer)
	return answer, nil
}

// look is what holds for every answer of the plane.
func (w *wire) look(answer *http.Response) error {
	kind := answer.Header.Get("Content-Type")
	switch {
	case !strings.Contains(answer.Header.Get("Cache-Control"), "no-store"):
		return fmt.Errorf("Cache-Control %q", answer.Header.Get("Cache-Control"))
	case answer.StatusCode == http.StatusNoContent || kind == "application/gzip",
		strings.HasPrefix(kind, "text/plain"):
		return nil
	case !strings.HasPrefix(kind, "application/json"):
		return fmt.Errorf("Content-Type %q", kind)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	if answer.StatusCode >= 400 {
		return errorsIn(members)
	}
	return bothWays(members)
}

// errorsIn: a refusal is a list of texts, and nothing else.
func errorsIn(members map[string]json.RawMessage) error {
	var texts []string
	err := json.Unmarshal(members["errors"], &texts)
	if err != nil || len(members) != 1 || len(texts) == 0 || texts[0] == "" {
		return fmt.Errorf("a refusal has %v", members)
	}
	return nil
}

// bothWays: what is under data is at the top too, where other generations of clients look.
func bothWays(members map[string]json.RawMessage) error {
	var data map[string]json.RawMessage
	if err := json.Unmarshal(members["data"], &data); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	for name, value := range data {
		if !bytes.Equal(members[name], value) {
			return fmt.Errorf("%s under data is not at the top", name)
		}
	}
	return nil
}
