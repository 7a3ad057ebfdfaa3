package operator

import (
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// What else there is to the keyring than changing it (rotate.go).

// keyStatus is in the JSON shape that scripts around `bao operator key-status` parse, and more.
type keyStatus struct {
	Term        int       `json:"term"`
	InstallTime time.Time `json:"install_time"`
	Encryptions uint64    `json:"encryptions"`
	OlderTerms  int       `json:"older_terms"`
	OlderSealed int       `json:"sealed_under_older_terms"`
}

func keyStatusCommand(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "key-status",
		Short: "Show the newest term of the keyring, and what is sealed under older ones",
		Long: "Show the newest term of the keyring, and what is sealed under older ones. After a " +
			"change of the keyring the leader seals those records anew, some hundred a second.",
		Example: "  keyquorum operator key-status", Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		var s keyStatus
		err = api.Call(c.Context(), http.MethodGet, "/v1/sys/key-status", nil, &s)
		if err != nil {
			return err
		}
		return format.Print(c, s, console.Pairs("Term", s.Term,
			"Since", console.TimeOrNot(&s.InstallTime), "Entries of the log since", s.Encryptions,
			"Older terms still good", s.OlderTerms, "Records under older terms", s.OlderSealed))
	}
	return c
}

// keyringSchedule is as `bao` and `vault` have it.
type keyringSchedule struct {
	Enabled       bool   `json:"enabled"`
	MaxOperations uint64 `json:"max_operations"`
	Interval      int64  `json:"interval"` // seconds
}

const schedulePath = "/v1/sys/rotate/config"

func scheduleCommand(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "schedule", Short: "Show when the keyring is changed by itself, or change that",
		Long: "Show when the keyring is changed by itself, or change that. The leader changes it " +
			"when its newest term is older than the interval, or the log has had so many entries " +
			"since. Without a flag nothing is changed.",
		Example: "  keyquorum operator rotate schedule\n" +
			"  keyquorum operator rotate schedule --interval 2160h",
		Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	enabled := c.Flags().Bool("enabled", true, "change the keyring by itself")
	interval := c.Flags().Duration("interval", 0, "after so long, at least 24h; 0: however long")
	operations := c.Flags().Uint64("max-operations", 0,
		"after so many entries of the log, 1000000 to 3865470566")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		in := map[string]any{} // what was said, and nothing else
		for name, value := range map[string]any{"enabled": *enabled,
			"interval": interval.String(), "max-operations": *operations} {
			if c.Flags().Changed(name) {
				in[strings.ReplaceAll(name, "-", "_")] = value
			}
		}
		if len(in) > 0 {
			if err := api.Call(c.Context(), http.MethodPut, schedulePath, in, nil); err != nil {
				return err
			}
		}
		return showSchedule(c, api, format)
	}
	return c
}

func showSchedule(c *cobra.Command, api *Client, format *console.Format) error {
	var s keyringSchedule
	if err := api.Call(c.Context(), http.MethodGet, schedulePath, nil, &s); err != nil {
		return err
	}
	every := "however long"
	if s.Interval > 0 {
		every = (time.Duration(s.Interval) * time.Second).String()
	}
	return format.Print(c, s, console.Pairs("Changed by itself", s.Enabled, "After", every,
		"After entries of the log", s.MaxOperations))
}
