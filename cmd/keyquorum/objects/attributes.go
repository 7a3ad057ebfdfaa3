package objects

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// attributeFlags are the flags of what both kinds of object carry.
type attributeFlags struct {
	enabled     bool
	disabled    bool
	expires     string
	notBefore   string
	tags        []string
	contentType string
	operations  []string
}

func bindAttributes(f *pflag.FlagSet, in *input) {
	a := &in.attributes
	f.BoolVar(&a.enabled, "enabled", true, "let it be used; --enabled=false does not")
	bindDisabled(f, in)
	f.StringVar(
		&a.expires,
		"expires",
		"",
		"when it ends: 2027-01-31, RFC 3339, or 30d or 720h from now",
	)
	f.StringVar(&a.notBefore, "not-before", "", "when it begins, in the same ways")
	f.StringArrayVar(&a.tags, "tag", nil, "NAME=VALUE (repeatable); replaces all tags")
}

func bindContentType(f *pflag.FlagSet, in *input) {
	f.StringVar(
		&in.attributes.contentType,
		"content-type",
		"",
		"what the value is, as in text/plain",
	)
}

func bindOperations(f *pflag.FlagSet, in *input) {
	f.StringSliceVar(&in.attributes.operations, "ops", nil,
		"what the key may do: sign, verify, encrypt, decrypt,\nwrapKey, unwrapKey, import")
}

func bindVersion(f *pflag.FlagSet, in *input) {
	f.StringVarP(&in.version, "version", "v", "", "version (default the newest)")
}

// attributes are those that were given; what is nil stays as it is.
type attributes struct {
	enabled     *bool
	expires     *time.Time
	notBefore   *time.Time
	tags        map[string]*string
	contentType *string
	operations  []string
}

// attributes reads the flags that were given.
func (c *call) attributes() (a attributes, err error) {
	flags := c.in.attributes
	switch {
	case c.changed("enabled") && c.changed("disabled"):
		return a, errors.New("--enabled and --disabled: give one of them")
	case c.changed("enabled"):
		a.enabled = &flags.enabled
	case c.changed("disabled"):
		enabled := !flags.disabled
		a.enabled = &enabled
	}
	if a.expires, err = timeFlag("--expires", flags.expires); err != nil {
		return a, err
	}
	if a.notBefore, err = timeFlag("--not-before", flags.notBefore); err != nil {
		return a, err
	}
	if c.changed("content-type") {
		a.contentType = &flags.contentType
	}
	a.operations = flags.operations
	a.tags, err = readTags(flags.tags)
	return a, err
}

func (a attributes) isEmpty() bool {
	return a.enabled == nil && a.expires == nil && a.notBefore == nil && a.tags == nil &&
		a.contentType == nil && a.operations == nil
}

func timeFlag(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := console.ParseTime(text, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return &t, nil
}

// readTags reads NAME=VALUE; a single empty text is no tags at all.
func readTags(texts []string) (map[string]*string, error) {
	if texts == nil {
		return nil, nil
	}
	tags := map[string]*string{}
	for _, text := range texts {
		if text == "" && len(texts) == 1 {
			return tags, nil
		}
		name, v, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--tag %q: a tag is NAME=VALUE", text)
		}
		tags[name] = &v
	}
	return tags, nil
}

var errNothingToChange = errors.New(
	"nothing was said that is to change: give --enabled, --expires, " +
		"--not-before, --tag or what else --help shows",
)
