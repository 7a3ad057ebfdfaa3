package console

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestNarrowTablesLoseNothing wraps what is too wide, and keeps every word of it.
func TestNarrowTablesLoseNothing(t *testing.T) {
	table := NewTable("Name", "Permissions", "Id")
	table.Add("billing", "get, list, set, delete, recover, backup, restore, purge",
		strings.Repeat("0123456789", 8))
	widths := table.widths(utf8.RuneCountInString)
	table.fit(widths, 80)
	var b strings.Builder
	for _, row := range table.rows {
		writeRow(&b, row, widths, func(s string) string { return s })
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	flat := strings.Join(strings.Fields(b.String()), "")
	for _, word := range []string{"restore,", "purge"} {
		if !strings.Contains(flat, word) {
			t.Errorf("%q is lost:\n%s", word, b.String())
		}
	}
	if n := strings.Count(flat, "9"); n != 8 {
		t.Errorf("the id lost digits:\n%s", b.String())
	}
}

func TestTimesForPeople(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"just now": 0, "1 second ago": time.Second, "3 minutes ago": 3 * time.Minute,
		"in 30 days":  -30*24*time.Hour + time.Second,
		"in 2 months": -60 * 24 * time.Hour, "1 year ago": 370 * 24 * time.Hour,
	} {
		at := now.Add(-d)
		if got := Ago(&at, now); got != want && !(want == "in 30 days" && got == "in 1 month") {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for text, want := range map[string]string{
		"2027-01-31": "2027-01-31T00:00:00Z", "30d": "2026-12-30T12:00:00Z",
		"720h":                      "2026-12-30T12:00:00Z",
		"2027-01-31T01:00:00+01:00": "2027-01-31T00:00:00Z",
	} {
		if got, err := ParseTime(text, now); err != nil || TimeText(got) != want {
			t.Errorf("%s is %v (%v), want %s", text, got, err, want)
		}
	}
	if _, err := ParseTime("soon", now); err == nil || !strings.Contains(err.Error(), "30d") {
		t.Errorf("soon: %v", err)
	}
}

func TestOutputForms(t *testing.T) {
	answer := Answer{
		Data:   map[string]any{"id": "https://x", "value": "a\nb", "n": 1},
		Table:  Pairs("Id", "https://x"),
		Lines:  []string{"https://x"},
		Fields: []string{"id", "value", "n", "other"},
	}
	for want, o := range map[string]Output{
		"a\nb": {format: "table", field: "value"}, "1": {field: "n"}, "": {field: "other"},
		"https://x\n": {quiet: true}, "ID=https://x\nN=1\nVALUE='a\nb'\n": {format: "env"},
		"Key  Value\n---  -----\nId   https://x\n": {format: "table"},
	} {
		var b strings.Builder
		if err := o.Print(&b, answer); err != nil || b.String() != want {
			t.Errorf("%+v prints %q (%v), want %q", o, b.String(), err, want)
		}
	}
	o := Output{field: "nonsense"}
	if err := o.Print(&strings.Builder{}, answer); err == nil ||
		!strings.Contains(err.Error(), "there are id, value") {
		t.Errorf("an unknown field: %v", err)
	}
}
