package dev

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"keyquorum/cmd/keyquorum/console"
)

// announce writes the environment files and says what there is and what to do next, to people and
// programs. No token is shown to people: what is on a screen is in its history too.
func (d *cluster) announce(ctx context.Context) error {
	if err := d.writeEnvironments(); err != nil {
		return err
	}
	vaults := strings.Join(d.state.vaults(), ", ")
	d.say("\nVault %s, and application %s, which may do everything there, through", vaults,
		d.state.appName())
	for _, p := range d.nodes {
		d.say("  node %d  %s", p.Number, p.vaultURL())
	}
	d.say("\nShares, root token and client secret lie in the clear, and logs beside them, in\n  %s\n"+
		"Keep nothing real here.", fromHere(string(d.folder)))
	sayNames(d.out, d.state.Layout, d.folder.liveNames(ctx, d.state))
	d.sayNext()
	d.say("\n%s", d.readiness())
	return d.handOut()
}

// writeEnvironments leaves a file for each node, and one more for who doesn't care which.
func (d *cluster) writeEnvironments() error {
	for _, p := range d.nodes {
		lines := exports(d.folder.environment(d.state, p.Address))
		names := []string{fmt.Sprintf("env-%d", p.Number)}
		if p.Number == 1 {
			names = append(names, "env")
		}
		for _, name := range names {
			if err := os.WriteFile(d.folder.Path(name), []byte(lines), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// sayNext says what a newcomer types in the next terminal.
func (d *cluster) sayNext() {
	called, vault := console.CalledAs(), d.state.vaults()[0]
	d.say("\nNext, in another terminal:\n  . %s", fromHere(d.folder.Path("env")))
	if d.asked.sealed {
		d.say("  %s status\n  %s operator unseal", called, called)
		return
	}
	d.say("  printf 'correct horse' | %s secret set hello --vault %s", called, vault)
	d.say("  %s secret show hello --vault %s -field=value", called, vault)
	d.say("  %s dev status", called)
}

func (d *cluster) readiness() string {
	switch {
	case d.asked.memory:
		return "Ready. Ctrl-C stops the nodes; nothing stays."
	case d.asked.sealed:
		return "Ready, and sealed. Ctrl-C stops the nodes; their data stay."
	}
	return "Ready. Ctrl-C stops the nodes; their data stay."
}

// fromHere is a path as it is shortest for whoever is in the same folder.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}
