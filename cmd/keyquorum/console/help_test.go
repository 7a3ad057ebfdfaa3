package console

import (
	"strings"
	"testing"
)

// A command line that is too long is broken as a shell takes it.
func TestCommandLines(t *testing.T) {
	long := "  keyquorum key verify signer --vault demo --file release.tar " +
		"--signature-file release.sig"
	got := commandLines("  keyquorum key list\n" + long + "\n")
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(lines) != 3 || lines[0] != "  keyquorum key list" || !strings.HasSuffix(lines[1], ` \`) ||
		len(lines[1]) > helpColumns || !strings.HasPrefix(lines[2], "      --s") {
		t.Errorf("%q", got)
	}
	if joined := strings.ReplaceAll(got, " \\\n     ", ""); !strings.Contains(joined, long) {
		t.Errorf("%q is not %q", joined, long)
	}
}
