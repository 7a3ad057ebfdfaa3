package objects

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// completionPatience is how long somebody who has pressed Tab waits for names.
const completionPatience = 3 * time.Second

// completeNames offers the names of objects that there are; nothing where a vault cannot be asked.
func (v verb) completeNames(kind reference.Kind, settings *session.Settings) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if !v.takesName() || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
		defer cancel()
		var names []string
		for _, o := range v.there(ctx, kind, settings) {
			if strings.HasPrefix(o.Name, begun) {
				names = append(names, o.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// there are the objects that the verb can be about.
func (v verb) there(ctx context.Context, kind reference.Kind, settings *session.Settings) []object {
	s, err := settings.Open()
	if err != nil {
		return nil
	}
	vault, err := s.Vault("")
	if err != nil {
		return nil
	}
	all, err := shelfOf(vault, kind)
	if err != nil {
		return nil
	}
	list := all.list
	if v.deleted {
		list = all.listDeleted
	}
	objects, err := list(ctx)
	if err != nil {
		return nil
	}
	return objects
}
