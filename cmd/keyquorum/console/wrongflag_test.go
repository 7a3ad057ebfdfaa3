package console

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Whoever mistypes a flag or its value is told what was meant, in no words of Go's.
func TestWrongFlags(t *testing.T) {
	for line, says := range map[string]string{
		"--valut=x":       "unknown flag: --valut (did you mean --vault?); see c --help",
		"--env-fil=x":     "(did you mean --env-file?)",
		"--foo":           "unknown flag: --foo; see c --help",
		"--vault":         "--vault lacks its value; see c --help",
		"--days=many":     `--days "many": it is a whole number; see c --help`,
		"--time=soon":     `--time "soon": it is a length of time, as in 90s, 10m or 720h; see c --help`,
		"--yes=perhaps":   `--yes "perhaps": it is true or false; see c --help`,
		"--format=xml":    `--format "xml": it is table or json; see c --help`,
		"--rate=fast":     `--rate "fast": it is a number; see c --help`,
		"--aa=1":          "unknown flag: --aa; see c --help",
		"--vault=x --tim": "(did you mean --time?)",
	} {
		c := &cobra.Command{Use: "c", RunE: func(*cobra.Command, []string) error { return nil }}
		Holding(c)
		c.SilenceErrors, c.SilenceUsage = true, true
		f := c.Flags()
		f.String("vault", "", "")
		f.String("env-file", "", "")
		f.Int("days", 0, "")
		f.Duration("time", time.Second, "")
		f.Bool("yes", false, "")
		f.Float64("rate", 0, "")
		f.String("ab", "", "")
		f.String("ac", "", "")
		FormatFlag(c)
		c.SetArgs(strings.Fields(line))
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, which does not say %q", line, err, says)
		}
	}
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"a", ""}: 1, {"vault", "valut"}: 1,
		{"file", "fail"}: 2, {"abc", "xyz"}: 3} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
}
