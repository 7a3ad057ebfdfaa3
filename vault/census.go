package vault

import (
	"strings"

	"keyquorum/fsm"
)

// A Census counts what a state holds. It needs no key: paths are readable (decision 20).
type Census struct {
	Vaults         int `json:"vaults"`
	Applications   int `json:"applications"`
	Secrets        int `json:"secrets"`
	SecretVersions int `json:"secret_versions"`
	Keys           int `json:"keys"`
	KeyVersions    int `json:"key_versions"`
	Records        int `json:"records"` // all of them
}

// Count reads through a state. What is deleted and kept counts too.
func Count(view fsm.View) (c Census) {
	for path := range view.Scan("", "") {
		c.Records++
		switch parts := strings.Split(path, "/"); {
		case strings.HasPrefix(path, vaultNameDir):
			c.Vaults++
		case strings.HasPrefix(path, appDir):
			c.Applications++
		case parts[0] == "vault" && len(parts) > 2:
			c.countObject(parts[2], len(parts) == 6 && parts[4] == "version", len(parts) == 4)
		}
	}
	return c
}

func (c *Census) countObject(kind string, version, head bool) {
	switch {
	case kind == secretCollection.kind && head:
		c.Secrets++
	case kind == secretCollection.kind && version:
		c.SecretVersions++
	case kind == keyCollection.kind && head:
		c.Keys++
	case kind == keyCollection.kind && version:
		c.KeyVersions++
	}
}
