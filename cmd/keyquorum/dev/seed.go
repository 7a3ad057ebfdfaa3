package dev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

// A seed is what a cluster that keeps nothing is to hold when it is ready
// (docs/testing-with-keyquorum.md).
type seed struct {
	Vaults       []seedVault  `json:"vaults"`
	Applications []seedApp    `json:"applications"`
	Grants       []seedGrant  `json:"grants"`
	Secrets      []seedSecret `json:"secrets"`
	Keys         []seedKey    `json:"keys"`
}

type seedVault struct {
	Name            string `json:"name"`
	RetentionDays   *int   `json:"retention_days"` // nil: retentionDays
	PurgeProtection bool   `json:"purge_protection"`
}

type seedApp struct {
	Name string `json:"name"`
}

// A seedGrant has Azure's words for permissions, or "all".
type seedGrant struct {
	Vault       string   `json:"vault"`
	Application string   `json:"application"`
	Secrets     []string `json:"secrets"`
	Keys        []string `json:"keys"`
}

// seedObject is what secrets and keys share.
type seedObject struct {
	Vault     string             `json:"vault"`
	Name      string             `json:"name"`
	Tags      map[string]*string `json:"tags"`
	Enabled   *bool              `json:"enabled"`
	NotBefore *seedTime          `json:"not_before"`
	Expires   *seedTime          `json:"expires"`
}

type seedSecret struct {
	seedObject
	Value       string `json:"value"`
	ContentType string `json:"content_type"`
}

// A seedKey has the words of Azure's REST API.
type seedKey struct {
	seedObject
	Type       string   `json:"kty"` // EC, RSA, …
	Curve      string   `json:"crv"`
	Size       int32    `json:"key_size"` // bits
	Operations []string `json:"key_ops"`
}

// A seedTime is RFC 3339, a date, or a length of time from now (30d, 720h) by this machine's clock.
type seedTime time.Time

func (t *seedTime) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s is no time: it is a string, as in \"30d\" or \"2027-01-31T12:00:00Z\"", b)
	}
	parsed, err := console.ParseTime(text, time.Now())
	*t = seedTime(parsed)
	return err
}

const maxSeed = 32 << 20 // bytes

// readSeed refuses what it does not know: a word misspelt would be a test that tests nothing.
func readSeed(file string) (*seed, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--seed: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxSeed+1))
	if err == nil && len(text) > maxSeed {
		err = fmt.Errorf("it has more than %d bytes", maxSeed)
	}
	var s *seed
	if err == nil {
		s, err = parseSeed(text)
	}
	if err != nil {
		return nil, fmt.Errorf("seed file %s: %w", file, err)
	}
	return s, nil
}

func parseSeed(text []byte) (*seed, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var s *seed
	if err := d.Decode(&s); err != nil {
		if member, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, fmt.Errorf("there is no member %s; docs/testing-with-keyquorum.md lists them",
				member)
		}
		return nil, fmt.Errorf("it is not the JSON of a seed: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows after its JSON object")
	}
	if s == nil {
		return nil, errors.New("it is not the JSON of a seed: an object is wanted")
	}
	return s, s.check()
}

// check refuses what lacks a name. What a name may be the nodes know.
func (s *seed) check() error {
	named := func(kind string, i int, names ...string) error {
		if slices.Contains(names, "") {
			return fmt.Errorf("%s[%d] lacks a name", kind, i)
		}
		return nil
	}
	var lacking []error
	for i, v := range s.Vaults {
		lacking = append(lacking, named("vaults", i, v.Name))
	}
	for i, a := range s.Applications {
		lacking = append(lacking, named("applications", i, a.Name))
	}
	for i, g := range s.Grants {
		lacking = append(lacking, named("grants", i, g.Vault, g.Application))
	}
	for i, o := range s.Secrets {
		lacking = append(lacking, named("secrets", i, o.Vault, o.Name))
	}
	for i, k := range s.Keys {
		lacking = append(lacking, named("keys", i, k.Vault, k.Name))
	}
	for _, err := range lacking {
		if err != nil {
			return err
		}
	}
	return nil
}
