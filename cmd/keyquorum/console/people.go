package console

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// peopleKey is under what a command's context has the terminal of whoever sits there.
type peopleKey struct{}

// Hearing has each command of a program know in its context whether people hear of what it waits
// for.
func Hearing(root *cobra.Command) {
	root.PersistentPreRun = func(c *cobra.Command, _ []string) {
		if w := peopleAt(c); w != nil {
			c.SetContext(context.WithValue(c.Context(), peopleKey{}, w))
		}
	}
}

// peopleAt is where somebody sits who reads what a command prints: nil where a program reads it.
func peopleAt(c *cobra.Command) io.Writer {
	format := c.Flags().Lookup("format")
	w := c.ErrOrStderr()
	if format != nil && format.Value.String() != "table" || Width(c.OutOrStdout()) == 0 || !rewrites(w) {
		return nil
	}
	return w
}

// People is where to tell them what is waited for; nil: nobody sits there.
func People(ctx context.Context) io.Writer {
	w, _ := ctx.Value(peopleKey{}).(io.Writer)
	return w
}
