package commands_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A report is what came of every row, in the order of the list.
type report struct {
	rows   []command
	played map[string]map[string]*tally // by row and client
	where  map[string][]string
}

// A tally counts how often a row was played.
type tally struct{ good, bad int }

func newReport() *report {
	r := &report{played: map[string]map[string]*tally{}, where: map[string][]string{}}
	for _, c := range everyRow() {
		if !slices.ContainsFunc(r.rows, func(other command) bool { return other.name == c.name }) {
			r.rows = append(r.rows, c)
		}
	}
	return r
}

// everyRow is the whole list, in the order in which commands are explained.
func everyRow() []command {
	return slices.Concat([]command{statusRow(), initRow(), initAgain(), initStatus(true)},
		unsealRows(), unsealRefusals(), joinRows(true), joinRows(false), dailyRows(), blankRows(),
		raftRows(), memberRows(true), snapshotRows(), rekeyRows(),
		[]command{restoreRow(ofBefore)}, rootRows(), []command{stepDownRow(), sealRow(), healthRow()},
		settingRows(), debugRows(), insteadRows())
}

func (r *report) record(c command, client, where string, err error) {
	if r.played[c.name] == nil {
		r.played[c.name] = map[string]*tally{}
	}
	t := r.played[c.name][client]
	if t == nil {
		t = &tally{}
		r.played[c.name][client] = t
	}
	if err != nil {
		t.bad++
	} else {
		t.good++
	}
	if !slices.Contains(r.where[c.name], where) {
		r.where[c.name] = append(r.where[c.name], where)
	}
}

// Table has a line for each row. It is an error that one was never played.
func (r *report) table() (text string, err error) {
	lines := [][]string{{"Command", "Calls", "OpenBao", "Vault", "Played at", "Outcome"}}
	for _, c := range r.rows {
		cells := []string{c.name, c.calls()}
		for _, client := range clients {
			t := r.played[c.name][client]
			switch {
			case !c.of(client):
				cells = append(cells, "-")
			case t == nil:
				cells = append(cells, "NOT PLAYED")
				err = fmt.Errorf("%s was not played with the client of %s", c.name, client)
			case t.bad > 0:
				cells = append(cells, fmt.Sprintf("%d of %d FAIL", t.bad, t.good+t.bad))
			default:
				cells = append(cells, fmt.Sprintf("%d pass", t.good))
			}
		}
		lines = append(lines, append(cells, strings.Join(r.where[c.name], ", "), c.outcome()))
	}
	return aligned(lines), err
}

// calls are in order, as OpenBao's command makes them, and Vault's where it makes others.
func (c command) calls() string {
	var all, vaults []string
	for _, at := range c.steps {
		all = append(all, at.asks)
		vaults = append(vaults, cmp.Or(at.vaultAsks, at.asks))
	}
	calls := strings.Join(all, ", ")
	if !slices.Equal(all, vaults) && c.of(clients[1]) {
		calls += " (Vault: " + strings.Join(vaults, ", ") + ")"
	}
	return calls
}

// outcome is what the last step says to whoever may ask, and what is to be said beside that.
func (c command) outcome() string {
	outcome := "served"
	r, refused := c.steps[len(c.steps)-1].answers.(refusal)
	switch {
	case refused && r.status == http.StatusNotImplemented:
		outcome = "says instead: " + r.words
	case refused && r.words != sealedText:
		outcome = fmt.Sprint("refused, ", r.status, ": ", r.words)
	}
	if c.note != "" {
		outcome += "; " + c.note
	}
	return outcome
}

func aligned(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, cells := range lines {
		var line strings.Builder
		for i, cell := range cells {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-len([]rune(cell))+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// The page has the list between these lines.
const (
	pageBegins = "<!-- This table is generated from the list that make conformance plays. -->\n"
	pageEnds   = "<!-- end of the table -->\n"
)

// TestPageHasTheList holds docs/vault-commands.md to the list. KEYQUORUM_WRITE=1 writes the table
// anew.
func TestPageHasTheList(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "vault-commands.md")
	page, err := os.ReadFile(path)
	must(t, err)
	before, rest, ok := strings.Cut(string(page), pageBegins)
	_, after, ok2 := strings.Cut(rest, pageEnds)
	if !ok || !ok2 {
		t.Fatal("docs/vault-commands.md has lost the marks of its table")
	}
	want := before + pageBegins + pageTable() + pageEnds + after
	if want == string(page) {
		return
	}
	if os.Getenv("KEYQUORUM_WRITE") == "" {
		t.Fatal("docs/vault-commands.md does not have this package's list: KEYQUORUM_WRITE=1 writes it")
	}
	must(t, os.WriteFile(path, []byte(want), 0o644))
}

func pageTable() string {
	var b strings.Builder
	b.WriteString("\n| Command | Calls under `/v1/sys/` | |\n| --- | --- | --- |\n")
	for _, c := range newReport().rows {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.name, c.calls(), c.outcome())
	}
	return b.String() + "\n"
}
