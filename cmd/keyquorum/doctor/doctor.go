// Package doctor has the command doctor: it looks at a node's settings, its machine, the node and
// its cluster, and says of each thing whether it is well, and else what to do. It changes nothing,
// needs no share, and works while the node runs and while it does not.
//
// It judges by what the program knows anyway: what server --check finds, what a node and the survey
// of its cluster answer, and the metrics. What it measures itself is the machine. The command
// operator debug puts its report into a bundle.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// examinationTime is more than an examination takes: each call in it has a deadline of its own.
const examinationTime = 2 * time.Minute

// A Server is what a server makes of its settings. The zero one was told nothing.
type Server struct {
	Told     bool
	Findings []Finding // of server --check, by what they are about
	Subjects []string  // all that it has looked at, in order
	Without  []string  // those of which the settings name none
	Settings []Setting // all of them
	Data     string    // data folder; "" where none was said
	UsageLog string    // its file; "" for the one in the data folder
	Address  string    // https://host:port at which others reach the API; "" where it is not known
	Reached  []string  // host:port at which others reach each of its ports
	TLSCert  string    // PEM file of the API
	Running  bool      // a process has the data folder in use
}

// A Finding is one thing that server --check has found.
type Finding struct {
	Subject string
	Bad     bool   // a node does not start so
	At      string // where it was said: a file, with its line, a flag or a variable
	Found   string
	Next    string
	Quotes  bool // Found may have the value of a setting
}

// A Setting is one setting of a server, as its node has it.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from,omitempty"` // where it was said; "" for a default
	// Hidden are the values that Value does not show: each may be a secret in the wrong place.
	Hidden []string `json:"-"`
}

// Settings reads a server's settings from a file and the environment, as the server does; "" is the
// file that the environment names, if any.
type Settings func(file string) Server

const help = `Say what is wrong with a node, its machine and its cluster, and what to do.

With --config, or in a server's environment, it looks at what the node is told,
and at the machine: run it there, as the user of the node. It then asks the node
that --address names, else the one of the settings, and with the operators'
token the cluster. It changes nothing, needs no share, and works beside a
running node. In the data folder it times the disk with a file that has no name.

Exit codes: 0 nothing has failed, though there may be warnings; 1 wrong usage; 2
something has failed.`

// Command is doctor.
func Command(settings Settings) *cobra.Command {
	c := &cobra.Command{Use: "doctor",
		Short: "Say what is wrong with a node, its machine and its cluster, and what to do",
		Long:  help, Args: console.Arguments(0, 0),
		Example: "  keyquorum doctor --config /etc/keyquorum/keyquorum.hcl\n" +
			"  keyquorum doctor --address https://10.0.0.1:8200 --ca-cert ca.pem",
	}
	k, format := operator.ConnectionFlags(c), console.FormatFlag(c)
	file := c.Flags().String("config", "",
		"file with the settings of the node (else KEYQUORUM_CONFIG)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		done := console.Waiting(c.ErrOrStderr(), "Looking")
		r, err := Examine(c.Context(), settings(*file), k)
		done()
		if err != nil {
			return err
		}
		if err := format.Print(c, r, r.table()); err != nil {
			return err
		}
		if !r.OK {
			return console.Exit(2, fmt.Errorf("failed: %d, warnings: %d", r.count(Failed),
				r.count(Warning)))
		}
		return nil
	}
	return c
}

// Examine makes all checks. The error is one of usage: nothing was looked at.
func Examine(ctx context.Context, s Server, k *operator.Connection) (Report, error) {
	api, err := k.ClientElse(s.Address)
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, examinationTime)
	defer cancel()
	checks := append(serverChecks(s), machineChecks(s)...)
	return reportOf(append(checks, asking(ctx, k, api)...)), nil
}
