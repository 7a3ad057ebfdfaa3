package httpapi_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

// TestWhoGetsWhat walks over all routes and writes for each what a stranger, somebody with a wrong
// token and somebody with a right one get, with an empty body and parameters that name nothing.
// testdata/callers.txt has the table; KEYQUORUM_WRITE=1 writes it anew. A route that is added shows
// there whom it serves, and one that begins to serve strangers does too.
func TestWhoGetsWhat(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	c := s.application(t, "callers", everything)
	var table []string
	add := func(plane string, r httpapi.RouteRow, method string, ask func(token int) answer) {
		got := [3]int{ask(noToken).status, ask(wrongToken).status, ask(rightToken).status}
		who := r.OperationRecord
		table = append(table, fmt.Sprintf(
			"%-11s %-6s %-44s %-26s %d %d %d",
			plane, method, r.Shape, who, got[0], got[1], got[2]))
	}
	eachRoute(httpapi.ApplicationRows(), func(r httpapi.RouteRow, method, path string) {
		add("application", r, method, func(token int) answer {
			asks := *c
			asks.token = [...]string{"", "e30.e30.e30", c.token}[token]
			return asks.call(method, path, "")
		})
	})
	eachRoute(httpapi.TokenRows(), func(r httpapi.RouteRow, method, path string) {
		add("login", r, method, func(int) answer { return s.login(method, path, "") })
	})
	rows := httpapi.OperatorRows()
	last := func(r httpapi.RouteRow) int { // sealing comes last: nothing is served afterwards
		if r.Shape == "sys/seal" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b httpapi.RouteRow) int { return last(a) - last(b) })
	eachRoute(rows, func(r httpapi.RouteRow, method, path string) {
		add("operator", r, method, func(token int) answer {
			return s.operate(method, "/v1"+path,
				[...]string{"", strings.Repeat("x", len(s.token)), s.token}[token], "")
		})
	})
	slices.Sort(table)
	text := strings.Join(table, "\n") + "\n"
	const file = "testdata/callers.txt"
	if os.Getenv("KEYQUORUM_WRITE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != text {
		t.Errorf("%s says something else (KEYQUORUM_WRITE=1 writes it):\n%s", file, text)
	}
}

// What a caller of the walk shows.
const (
	noToken = iota
	wrongToken
	rightToken
)
