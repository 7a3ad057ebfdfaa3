package frontdoor

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// drives are the verbs that there are, and the test that proves each.
var drives = map[string]func(*testing.T, *caller){
	"secret set":            setsSecrets,
	"secret show":           showsSecrets,
	"secret list":           listsSecrets,
	"secret list-versions":  listsSecretVersions,
	"secret set-attributes": changesSecrets,
	"secret delete":         deletesSecrets,
	"secret list-deleted":   deletesSecrets,
	"secret show-deleted":   deletesSecrets,
	"secret recover":        recoversSecrets,
	"secret purge":          purgesSecrets,
	"secret download":       downloadsSecrets,
	"secret backup":         backsSecretsUp,
	"secret restore":        backsSecretsUp,

	"key create":          createsKeys,
	"key import":          importsKeys,
	"key show":            showsKeys,
	"key list":            listsKeys,
	"key list-versions":   listsKeys,
	"key set-attributes":  changesKeys,
	"key rotate":          rotatesKeys,
	"key rotation-policy": keepsRotationPolicies,
	"key sign":            signs,
	"key verify":          verifies,
	"key encrypt":         encrypts,
	"key decrypt":         decrypts,
	"key wrap":            wraps,
	"key unwrap":          wraps,
	"key random":          makesRandomBytes,
	"key download":        downloadsKeys,
	"key delete":          deletesKeys,
	"key list-deleted":    deletesKeys,
	"key show-deleted":    deletesKeys,
	"key recover":         deletesKeys,
	"key purge":           deletesKeys,
	"key backup":          backsKeysUp,
	"key restore":         backsKeysUp,
}

// TestEveryVerb drives each verb that the program has; one that no test drives is a failure.
func TestEveryVerb(t *testing.T) {
	c := shared(t).caller(t)
	verbs := append(c.verbsOf("secret"), c.verbsOf("key")...)
	for _, verb := range verbs {
		drive := drives[verb]
		if drive == nil {
			t.Errorf("no test drives keyquorum %s", verb)
			continue
		}
		t.Run(strings.ReplaceAll(verb, " ", "_"), func(t *testing.T) {
			t.Parallel()
			drive(t, shared(t).caller(t))
			if !wasDriven(verb) {
				t.Errorf("the test of %s does not call it", verb)
			}
		})
	}
	for _, verb := range slices.Sorted(maps.Keys(drives)) {
		if !slices.Contains(verbs, verb) {
			t.Errorf("a test drives %s, which is no verb", verb)
		}
	}
}

// verbsOf asks the program what can follow a word, as a shell's completion does.
func (c *caller) verbsOf(word string) (verbs []string) {
	c.t.Helper()
	o := c.call("__complete", word, "")
	for line := range strings.Lines(o.stdout) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			verbs = append(verbs, word+" "+name)
		}
	}
	if o.code != 0 || len(verbs) < 10 {
		c.t.Fatalf("%s has the verbs %v: exit code %d, %s", word, verbs, o.code, o.stderr)
	}
	return verbs
}
