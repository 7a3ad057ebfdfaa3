package conformance_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"keyquorum/httpapi"
)

// An operation is one row of the application plane's route table.
type operation struct {
	name         string // in the usage log: "keys/create"
	method, path string // the longest, where a version may be left out
}

func (o operation) request() string { return fmt.Sprintf("`%s %s`", o.method, o.path) }

// operations reads the application plane out of the program's OpenAPI document, which is made from
// the route table.
func operations() ([]operation, error) {
	text, err := httpapi.OpenAPI("")
	if err != nil {
		return nil, err
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	longest := map[[2]string]operation{}
	for path, methods := range document.Paths {
		for method, text := range methods {
			name := ofApplications(text)
			key := [2]string{name, method}
			if name != "" && len(path) > len(longest[key].path) {
				longest[key] = operation{name, strings.ToUpper(method), path}
			}
		}
	}
	if len(longest) == 0 {
		return nil, errors.New("the OpenAPI document has no operation for applications")
	}
	return slices.SortedFunc(maps.Values(longest), func(a, b operation) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.method, b.method))
	}), nil
}

// ofApplications is the name of an operation that takes an application's token, "" for what else a
// path has.
func ofApplications(text json.RawMessage) string {
	var about struct {
		Name     string `json:"x-keyquorum-operation"`
		Security []map[string]any
	}
	if json.Unmarshal(text, &about) != nil {
		return "" // parameters and servers of the path
	}
	for _, s := range about.Security {
		if _, is := s["application"]; is {
			return about.Name
		}
	}
	return ""
}
