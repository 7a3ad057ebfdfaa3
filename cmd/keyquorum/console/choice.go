package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// A choice is a flag that has one of a few values.
type choice struct {
	value *string
	of    []string
}

// Choice is a flag of a few values, of which value holds the default.
func Choice(value *string, of ...string) pflag.Value { return &choice{value, of} }

func (c *choice) String() string { return *c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		last := len(c.of) - 1
		return fmt.Errorf("it is %s or %s", strings.Join(c.of[:last], ", "), c.of[last])
	}
	*c.value = s
	return nil
}
