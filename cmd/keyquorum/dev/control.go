package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// Report is what `dev status` says of a node.
type Report struct {
	Node   int    `json:"node"`
	PID    int    `json:"pid"` // 0: it does not run
	State  string `json:"state"`
	Leader bool   `json:"leader"`
	API    string `json:"api"`
	Vault  string `json:"vault"`
}

func (r Report) process() any {
	if r.PID == 0 {
		return nil
	}
	return r.PID
}

func statusCommand(dir *string) *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Show the nodes of the running dev cluster",
		Args: console.Arguments(0, 0)}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		folder, state, err := running(*dir)
		if err != nil {
			return err
		}
		var reports []Report
		t := console.NewTable("Node", "Process", "State", "Leader", "API")
		for _, a := range state.addresses() {
			r := folder.report(c.Context(), a)
			reports = append(reports, r)
			t.Add(r.Node, r.process(), r.State, r.Leader, r.API)
		}
		if err := format.Print(c, reports, t); err != nil || *format != "table" {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "\nThe vault is %s, at each node's port.", reports[0].Vault)
		return nil
	}
	return c
}

// running is the folder and state of a dev cluster that runs.
func running(dir string) (Folder, State, error) {
	folder, err := chosenFolder(dir)
	if err != nil {
		return "", State{}, err
	}
	if _, err := folder.owner(); err != nil {
		return "", State{}, err
	}
	state, err := folder.State()
	return folder, state, err
}

func (f Folder) report(ctx context.Context, a Address) Report {
	r := Report{Node: a.Number, API: a.API(), Vault: a.vaultURL(), PID: ReadPID(f.pidFile(a.Number)),
		State: "down"}
	ca, err := os.ReadFile(f.Path("ca.pem"))
	if err != nil || r.PID == 0 {
		return r
	}
	r.State = "not answering"
	api, err := operator.NewClient(a.API(), "", ca)
	if err != nil {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var seal operator.SealStatus
	if api.Call(ctx, http.MethodGet, "/v1/sys/seal-status", nil, &seal) != nil {
		return r
	}
	r.State = seal.Text()
	if leader, err := operator.LeaderFields(ctx, api); err == nil {
		r.Leader = leader["is_self"] == true
	}
	return r
}

func restartCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "restart N", Short: "Start node N again (one that runs is stopped first)",
		Args: console.Arguments(1, 1), Example: "  keyquorum dev restart 2",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string,
			cobra.ShellCompDirective) {
			_, state, err := running(*dir)
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var numbers []string
			for _, a := range state.addresses() {
				numbers = append(numbers, strconv.Itoa(a.Number))
			}
			return numbers, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			folder, state, err := running(*dir)
			if err != nil {
				return err
			}
			number, err := strconv.Atoi(args[0])
			if err != nil || number < 1 || number > state.nodes() {
				return fmt.Errorf("%q is no node: %s", args[0], state.numbers())
			}
			if err := folder.requestRestart(c.Context(), number); err != nil {
				return err
			}
			r := folder.report(c.Context(), state.addresses()[number-1])
			if r.PID == 0 {
				return fmt.Errorf("node %d did not come up; its log is %s", number, folder.logFile(number))
			}
			fmt.Fprintf(c.OutOrStdout(), "Node %d runs again: process %d, %s\n", number, r.PID, r.State)
			return nil
		},
	}
}

// requestRestart leaves a file for the running `keyquorum dev`, which removes it when it has done
// what it could.
func (f Folder) requestRestart(ctx context.Context, number int) error {
	request := f.restartFile(number)
	if err := os.WriteFile(request, nil, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, StopTimeout+3*patience)
	defer cancel()
	for {
		if _, err := os.Stat(request); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !pause(ctx, lookOften) {
			return errors.New("the dev cluster did not do it in time")
		}
	}
}
