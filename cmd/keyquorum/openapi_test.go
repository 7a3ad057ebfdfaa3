package main

import (
	"encoding/json"
	"testing"
)

func TestOpenAPIIsPrinted(t *testing.T) {
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	o := call(t, t.TempDir(), "openapi")
	if o.code != 0 || json.Unmarshal([]byte(o.stdout), &doc) != nil || doc.OpenAPI != "3.1.0" ||
		doc.Paths["/v1/sys/health"] == nil {
		t.Errorf("exit code %d: %s%s", o.code, o.stdout[:min(len(o.stdout), 200)], o.stderr)
	}
	if o := call(t, t.TempDir(), "openapi", "more"); o.code != 1 {
		t.Errorf("with an argument: exit code %d", o.code)
	}
}
