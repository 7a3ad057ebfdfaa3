// Package rules takes the rules of read leases out of the code that ships, one at a time, by edits
// of its source. internal/leasemodel must then find what goes wrong.
package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"keyquorum/internal/leasemodel"
	"keyquorum/internal/overlay"
)

// A Rule is one that something goes wrong without.
type Rule struct {
	Name             string
	Of               string // its number in package lease
	Says             string
	Edits            []overlay.Edit // take it out
	leasemodel.Setup                // a world that is just large enough
	Steps            int            // of the shortest way to something wrong
}

// Find searches the rule's world without the rule. dir is for what has to be built.
func (r Rule) Find(ctx context.Context, dir string) (leasemodel.Result, error) {
	search, err := r.Without(ctx, dir)
	if err != nil {
		return leasemodel.Result{}, err
	}
	return search(ctx, r.Setup)
}

// A Search searches a world.
type Search func(context.Context, leasemodel.Setup) (leasemodel.Result, error)

// Without is the model without the rule. It is built in dir.
func (r Rule) Without(ctx context.Context, dir string) (Search, error) {
	if len(r.Edits) == 0 {
		return func(_ context.Context, s leasemodel.Setup) (leasemodel.Result, error) {
			return leasemodel.New(s).Search(leasemodel.Limit, func(int, int) {}), nil
		}, nil
	}
	edited, err := overlay.Write(dir, r.Edits)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "one")
	_, err = run(exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", program,
		"-overlay", edited, "keyquorum/internal/leasemodel/one"))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, s leasemodel.Setup) (found leasemodel.Result, err error) {
		setup, err := json.Marshal(s)
		if err != nil {
			return found, err
		}
		one := exec.CommandContext(ctx, program)
		one.Stdin = bytes.NewReader(setup)
		out, err := run(one)
		if err != nil {
			return found, err
		}
		return found, json.Unmarshal(out, &found)
	}, nil
}

func run(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, exit.Stderr)
	}
	return out, err
}
