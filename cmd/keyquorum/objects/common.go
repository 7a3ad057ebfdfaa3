package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

// maxBackup bounds a backup in bytes: 500 versions of the largest secret and more.
const maxBackup = 32 << 20

// commonVerbs are those of both kinds.
func commonVerbs(kind reference.Kind) []verb {
	word := kind.Word()
	changes := []func(*pflag.FlagSet, *input){bindVersion, bindAttributes, bindContentType}
	if kind == reference.Keys {
		changes[2] = bindOperations
	}
	return []verb{
		{use: "show NAME", short: "Show a " + word, do: show,
			flags: []func(*pflag.FlagSet, *input){bindVersion},
			example: fmt.Sprintf(
				"  keyquorum %s show hello --vault demo\n  keyquorum %s show akv://demo/hello --format json",
				word,
				word,
			)},
		{use: "list", short: "List the " + word + "s of a vault", do: list((shelf).list, listed)},
		{use: "list-versions NAME", short: "List the versions of a " + word, do: listVersions},
		{use: "list-deleted", short: "List the " + word + "s that are deleted and not yet purged",
			do: list((shelf).listDeleted, listedDeleted)},
		{use: "show-deleted NAME", short: "Show a " + word + " that is deleted and not yet purged",
			do: showDeleted, deleted: true},
		{
			use:   "set-attributes NAME",
			short: "Change what is not the value: when it ends, tags, whether it is enabled",
			do:    setAttributes,
			flags: changes,
		},
		{
			use:   "delete NAME",
			short: "Delete a " + word + "; it can be recovered until its retention is over",
			do:    remove,
		},
		{
			use:     "recover NAME",
			short:   "Bring a deleted " + word + " back with all its versions",
			do:      bringBack,
			deleted: true,
		},
		{
			use:     "purge NAME",
			short:   "Remove a deleted " + word + " for ever",
			do:      purge,
			deleted: true,
		},
		{
			use:   "backup NAME",
			short: "Save a " + word + " with all its versions, encrypted, in a file",
			do:    backup,
			flags: []func(*pflag.FlagSet, *input){bindOut},
		},
		{use: "restore", short: "Bring back what backup has saved", do: restore,
			flags: []func(*pflag.FlagSet, *input){bindFile}},
	}
}

func bindOut(f *pflag.FlagSet, in *input) {
	f.StringVarP(
		&in.out,
		"file",
		"f",
		"",
		"file to write, which must not be there yet; - is standard output",
	)
}

func bindFile(f *pflag.FlagSet, in *input) {
	f.StringVarP(&in.file, "file", "f", "", "file to read; - is standard input")
}

// version is that of the reference or of --version.
func (c *call) version() (string, error) {
	switch {
	case c.in.version == "" || c.in.version == c.ref.Version:
		return c.ref.Version, nil
	case c.ref.Version != "":
		return "", errors.New("--version: the reference names another version already")
	case !reference.IsVersion(c.in.version):
		return "", fmt.Errorf(
			"--version %q: a version is 32 hexadecimal digits in lower case; keyquorum %s "+
				"list-versions shows them",
			c.in.version,
			c.kind.Word(),
		)
	}
	return c.in.version, nil
}

// newest refuses a reference to a version, where all versions are meant.
func (c *call) newest() error {
	if c.ref.Version != "" {
		return fmt.Errorf(
			"%s %s is about all versions: leave the version out",
			c.kind.Word(),
			c.cmd.Name(),
		)
	}
	return nil
}

func show(c *call) (a console.Answer, err error) {
	version, err := c.version()
	if err != nil {
		return a, err
	}
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return c.shelf.get(ctx, c.ref.Name, version) },
	)
	if err != nil {
		return a, err
	}
	a = o.answer()
	if o.Value != nil {
		a.Env = [][2]string{{console.VariableName(o.Name), *o.Value}}
	}
	return a, nil
}

func showDeleted(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return c.shelf.getDeleted(ctx, c.ref.Name) },
	)
	return o.answer(), err
}

// list is a verb that lists all there are of something.
func list(
	of func(shelf, context.Context) ([]object, error), answer func([]object) console.Answer,
) func(*call) (console.Answer, error) {
	return func(c *call) (a console.Answer, err error) {
		all, err := ask(c, func(ctx context.Context) ([]object, error) { return of(c.shelf, ctx) })
		if err != nil {
			return a, err
		}
		if len(all) == 0 {
			c.output.Said(c.people(), "There is none in vault %s.", c.vault.Name)
		}
		return answer(all), nil
	}
}

func listVersions(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	all, err := ask(
		c,
		func(ctx context.Context) ([]object, error) { return c.shelf.listVersions(ctx, c.ref.Name) },
	)
	if err != nil {
		return a, err
	}
	if len(all) == 0 { // of a name that never was, too
		return a, console.Exit(
			2,
			fmt.Errorf("there is no %s %q in vault %s; keyquorum %s list --vault %s shows "+
				"what there is", c.kind.Word(), c.ref.Name, c.vault.Name, c.kind.Word(), c.vault.Name),
		)
	}
	return listedVersions(all), nil
}

func setAttributes(c *call) (a console.Answer, err error) {
	version, err := c.version()
	if err != nil {
		return a, err
	}
	changes, err := c.attributes()
	if err == nil && changes.isEmpty() {
		err = errNothingToChange
	}
	if err != nil {
		return a, err
	}
	o, err := ask(c, func(ctx context.Context) (object, error) {
		return c.shelf.update(ctx, c.ref.Name, version, changes)
	})
	return o.answer(), err
}

func remove(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return c.shelf.delete(ctx, c.ref.Name) },
	)
	return o.answer(), err
}

// settle is how often it is looked whether what Azure does by and by has been done, and
// settlePatience for how long. A Keyquorum has done it before it answers.
const (
	settle         = 500 * time.Millisecond
	settlePatience = 2 * time.Minute
)

func bringBack(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	o, err := ask(c, func(ctx context.Context) (object, error) {
		if _, err := c.shelf.recover(ctx, c.ref.Name); err != nil {
			return object{}, err
		}
		return untilThere(ctx, func() (object, error) { return c.shelf.get(ctx, c.ref.Name, "") })
	})
	o.Value = nil // it was looked at to see that it is there
	return o.answer(), err
}

// untilThere waits while something is not there yet. Who may not look has to believe.
func untilThere(ctx context.Context, look func() (object, error)) (object, error) {
	for end := time.Now().Add(settlePatience); ; {
		o, err := look()
		var answer *azcore.ResponseError
		switch {
		case err == nil || !errors.As(err, &answer):
			return o, err
		case answer.StatusCode == http.StatusForbidden:
			return o, nil
		case answer.StatusCode != http.StatusNotFound || time.Now().After(end):
			return o, err
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return o, ctx.Err()
		}
	}
}

func purge(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	_, err = ask(
		c,
		func(ctx context.Context) (any, error) { return nil, c.shelf.purge(ctx, c.ref.Name) },
	)
	if err != nil {
		return a, err
	}
	return done("Purged", c.ref.Name), nil
}

// outcome is the answer of a verb that leaves no object to show.
type outcome struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
}

func done(what, name string) console.Answer {
	return console.Answer{
		Data:   outcome{Name: name},
		Table:  console.Pairs(what, name),
		Fields: fieldsOf(outcome{}),
	}
}

func backup(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	if c.in.out == "" {
		return a, errors.New("where to? Say --file FILE, or --file - for standard output")
	}
	blob, err := ask(
		c,
		func(ctx context.Context) ([]byte, error) { return c.shelf.backup(ctx, c.ref.Name) },
	)
	if err != nil {
		return a, err
	}
	return c.written(blob)
}

// written writes bytes to --file, and says so unless they go to standard output.
func (c *call) written(b []byte) (a console.Answer, err error) {
	if err := console.WriteOutput(c.cmd.OutOrStdout(), c.in.out, b); err != nil || c.in.out == "-" {
		return a, err
	}
	return console.Answer{
		Data:   outcome{Name: c.ref.Name, File: c.in.out},
		Table:  console.Pairs("Written", c.in.out, "Bytes", len(b)),
		Fields: fieldsOf(outcome{}), Lines: []string{c.in.out},
	}, nil
}

func restore(c *call) (a console.Answer, err error) {
	if c.in.file == "" {
		return a, errors.New("which backup? Say --file FILE, or --file - for standard input")
	}
	blob, err := console.ReadInput(c.cmd.InOrStdin(), c.in.file, maxBackup)
	if err != nil {
		return a, err
	}
	o, err := ask(
		c,
		func(ctx context.Context) (object, error) { return c.shelf.restore(ctx, blob) },
	)
	return o.answer(), err
}
