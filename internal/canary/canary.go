// Package canary looks for secrets where they must not be: tests plant a value, and search every
// sink for every form of it.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// Found are the canaries, by what they are called, that stand in some content, each with the form
// in which it does.
func Found(content []byte, canaries map[string]string) (found []string) {
	for _, what := range slices.Sorted(maps.Keys(canaries)) {
		for form, text := range forms(canaries[what]) {
			if bytes.Contains(content, []byte(text)) {
				found = append(found, fmt.Sprintf("%s (%s)", what, form))
			}
		}
	}
	return found
}

// forms are how a secret may be written down: as it is, encoded, and decoded where it is hex.
func forms(canary string) map[string]string {
	encoded := base64.StdEncoding.EncodeToString([]byte(canary))
	f := map[string]string{"as it is": canary,
		"base64": encoded[:min(20, len(encoded))], // the end of it depends on what follows
		"hex":    hex.EncodeToString([]byte(canary))}
	if raw, err := hex.DecodeString(canary); err == nil {
		f["raw"] = string(raw)
		f["base64 of the raw one"] = base64.RawStdEncoding.EncodeToString(raw)
	}
	return f
}
