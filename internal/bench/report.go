package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// A table prints as Markdown.
type table struct {
	title string
	rows  [][]string
}

func newTable(title string, columns ...string) *table {
	return &table{title: title, rows: [][]string{columns}}
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() {
	fmt.Printf("\n### %s\n\n", t.title)
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for n, row := range t.rows {
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(c)))
			if i == 0 {
				fmt.Print("| ", c, pad)
			} else {
				fmt.Print(" | ", pad, c)
			}
		}
		fmt.Println(" |")
		if n == 0 {
			for i, w := range widths {
				if i == 0 {
					fmt.Print("|", strings.Repeat("-", w+2))
				} else {
					fmt.Print("|", strings.Repeat("-", w+1), ":")
				}
			}
			fmt.Println("|")
		}
	}
}

// A requestTable has one row for each cell. The first cell of each add is the ceiling of the
// others.
type requestTable struct{ *table }

func newRequestTable(title string) *requestTable {
	return &requestTable{newTable(title, "", "clients", "requests/s", "p50 ms", "p90 ms", "p99 ms",
		"CPU µs, asked", "CPU µs, all", "× ceiling", "503s")}
}

func (t *requestTable) add(cells ...*cell) {
	ceiling := cells[0].seen.total()
	for _, c := range cells {
		s := &c.seen
		t.row(c.name, fmt.Sprint(c.clients), fmt.Sprintf("%.0f", s.perSecond()),
			ms(s.percentile(50)), ms(s.percentile(90)), ms(s.percentile(99)),
			us(s.asked()), us(s.total()), fmt.Sprintf("%.1f", ratio(s.total(), ceiling)),
			fmt.Sprint(s.refused))
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1e3) }
func us(d time.Duration) string { return fmt.Sprintf("%.0f", d.Seconds()*1e6) }

// machine describes what a run was made on.
func machine() string {
	return fmt.Sprintf("%s, %d × %s, %s; load of the machine before the run %s", runtime.Version(),
		runtime.NumCPU(), processor(), runtime.GOOS, load())
}
