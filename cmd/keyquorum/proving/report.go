package proving

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/prove"
)

// A Report is the verdict over all rounds, and the JSON that prove prints.
type Report struct {
	Proven       bool           `json:"proven"`
	Problems     []string       `json:"problems"` // why it is not
	Nodes        []string       `json:"nodes"`
	Vault        string         `json:"vault"`
	Seed         uint64         `json:"seed"` // of the first round; the others' are the numbers that follow
	Rounds       int            `json:"rounds"`
	Histories    int            `json:"histories"`
	Operations   int            `json:"operations"`
	Acknowledged int            `json:"acknowledged_writes"`
	Unknown      int            `json:"unknown_writes"`
	Undecided    int            `json:"undecided_histories"`
	Violations   []violation    `json:"violations,omitempty"`
	Failures     map[string]int `json:"failures"`
	StepDowns    int            `json:"step_downs"`
	Older        int            `json:"older_runs_removed"`    // that had never been cleaned up
	Pause        float64        `json:"longest_pause_seconds"` // in which no write was acknowledged
	Index        uint64         `json:"index"`                 // at which all nodes held the same
	Digest       string         `json:"digest"`
}

// A violation is an object whose history is not linearizable.
type violation struct {
	Object  string `json:"object"`
	History string `json:"history"` // the shortest part found that is not
	Picture string `json:"picture"` // the path of an HTML page
}

func (r *Report) problem(err error) {
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
}

func (r *Report) pause(d time.Duration) { r.Pause = max(r.Pause, d.Seconds()) }

// add adds the verdict of a round, and draws what it found.
func (r *Report) add(v *prove.Verdict, pictures string) {
	r.Histories += v.Histories
	r.Operations += v.Operations
	r.Acknowledged += v.Acknowledged
	r.Unknown += v.Unknown
	r.Undecided += v.Undecided
	for what, n := range v.Failures {
		r.Failures[what] += n
	}
	if v.Undecided > 0 {
		r.problem(fmt.Errorf("%d histories took too long to check", v.Undecided))
	}
	for i := range v.Violations {
		found := &v.Violations[i]
		picture, err := draw(found, pictures)
		if err != nil {
			picture = "not written: " + err.Error()
		}
		r.Violations = append(r.Violations, violation{found.Object, found.String(), picture})
		r.problem(fmt.Errorf("the history of %s is not linearizable", found.Object))
	}
}

func draw(v *prove.Violation, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return v.Draw(dir)
}

// judge says whether it is proven.
func (r *Report) judge() {
	if r.Acknowledged == 0 {
		r.problem(errors.New("no write was acknowledged: there is nothing to prove anything from"))
	}
	r.Proven = len(r.Problems) == 0
}

func (r *Report) err() error {
	if r.Proven {
		return nil
	}
	text := "not proven: " + r.Problems[0]
	if more := len(r.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more problems)", more)
	}
	return console.Exit(1, errors.New(text))
}

func (r *Report) table() console.Table {
	t := console.Pairs("Proven", r.Proven, "Nodes", r.Nodes, "Vault", r.Vault, "Seed", r.Seed,
		"Rounds", r.Rounds,
		"Histories", r.Histories, "Operations", r.Operations, "Acknowledged writes", r.Acknowledged,
		"Unknown writes", r.Unknown, "Undecided histories", r.Undecided, "Violations", len(r.Violations),
		"Step-downs", r.StepDowns, "Older runs removed", r.Older, "Longest pause",
		fmt.Sprintf("%.2f s", r.Pause),
		"Same state at index", r.Index, "Digest", r.Digest)
	for _, what := range slices.Sorted(maps.Keys(r.Failures)) {
		t.Add("Failure: "+what, r.Failures[what])
	}
	for _, problem := range r.Problems {
		t.Add("Problem", problem)
	}
	return t
}

// print prints the report, and is an error unless it is one of success.
func (r *Report) print(c *cobra.Command, format *console.Format) error {
	if err := format.Print(c, r, r.table()); err != nil {
		return err
	}
	if *format == "table" {
		for _, v := range r.Violations {
			fmt.Fprintf(c.OutOrStdout(), "\n%s\nPicture: %s\n", v.History, v.Picture)
		}
	}
	return r.err()
}
