package objects

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// maxSecret is the longest value of a secret in bytes, in Azure and here.
const maxSecret = 25_600

// The tag by which the Azure CLI, too, knows how the bytes of a file became the text of a secret.
const encodingTag = "file-encoding"

func secretVerbs() []verb {
	return []verb{
		{
			use: "set NAME", short: "Set a secret: its first version, or a new one", do: setSecret,
			more: "The value comes from --file, else from standard input, else from a prompt that\n" +
				"does not echo. A file and a pipe are kept byte for byte, a line break at the\n" +
				"end too. A value is text of 25,600 bytes at most; --encoding=base64 stores\n" +
				"other bytes in base64, and download gives them back.",
			example: "  keyquorum secret set hello --vault demo --file f\n" +
				"  pass show db | keyquorum secret set db-password --vault demo --expires 90d",
			flags: []func(*pflag.FlagSet, *input){bindValue, bindAttributes, bindContentType},
		},
		{
			use: "download NAME", short: "Write the value of a secret to a file, or to standard output",
			do: downloadSecret,
			more: "The file is made with mode 0600, and holds the value byte for byte. What was\n" +
				"set with --encoding=base64 is decoded.",
			flags: []func(*pflag.FlagSet, *input){bindVersion, bindOut},
		},
	}
}

func bindValue(f *pflag.FlagSet, in *input) {
	bindFile(f, in)
	f.StringVar(&in.value, "value", "", "the value itself, for all users of this machine to see")
	f.StringVar(&in.encoding, "encoding", "utf-8", "utf-8, or base64 for bytes that are no text")
}

func setSecret(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	attributes, err := c.attributes()
	if err != nil {
		return a, err
	}
	bytes, err := c.givenValue()
	if err != nil {
		return a, err
	}
	text, err := c.encoded(bytes, &attributes)
	if err != nil {
		return a, err
	}
	shelf := c.shelf.(*secrets)
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return shelf.set(ctx, c.ref.Name, text, attributes) },
	)
	return o.answer(), err
}

// givenValue reads the value from wherever it was said to be.
func (c *call) givenValue() ([]byte, error) {
	switch {
	case c.changed("value") && c.changed("file"):
		return nil, errors.New("--value and --file: give one of them")
	case c.changed("value"):
		console.Tell(c.cmd, c.people(),
			"warning: other users of this machine can see --value, and the shell's history keeps it; "+
				"use --file or standard input",
		)
		return []byte(c.in.value), nil
	case c.in.file == "" && console.IsTerminal(os.Stdin):
		line, err := console.Ask(os.Stdin, c.people(), "Value")
		return []byte(line), err
	case c.in.file == "":
		c.in.file = "-"
	}
	return console.ReadInput(c.cmd.InOrStdin(), c.in.file, maxSecret)
}

// encoded is the value as a secret holds it.
func (c *call) encoded(b []byte, a *attributes) (string, error) {
	text := string(b)
	switch c.in.encoding {
	case "utf-8":
		if !utf8.Valid(b) {
			return "", errors.New(
				"the value is no text (UTF-8); --encoding=base64 stores it in base64",
			)
		}
	case "base64":
		text = base64.StdEncoding.EncodeToString(b)
		if a.tags == nil {
			a.tags = map[string]*string{}
		}
		a.tags[encodingTag] = &c.in.encoding
	default:
		return "", fmt.Errorf("--encoding %q: it is utf-8 or base64", c.in.encoding)
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf(
			"the value has %d bytes, and a secret holds %d at most",
			len(text),
			maxSecret,
		)
	}
	return text, nil
}

func downloadSecret(c *call) (a console.Answer, err error) {
	version, err := c.version()
	if err != nil {
		return a, err
	}
	if c.in.out == "" {
		c.in.out = "-"
	}
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return c.shelf.get(ctx, c.ref.Name, version) },
	)
	if err != nil {
		return a, err
	}
	b := []byte(value(o.Value))
	if o.Tags[encodingTag] == "base64" {
		if b, err = base64.StdEncoding.DecodeString(value(o.Value)); err != nil {
			return a, fmt.Errorf(
				"secret %s has the tag %s=base64, and is none",
				o.Name,
				encodingTag,
			)
		}
	}
	return c.written(b)
}
