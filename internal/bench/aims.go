package main

import (
	"fmt"
	"time"
)

// verdicts compares a run with what we aim for.
type verdicts struct{ rows [][]string }

func (v *verdicts) add(what, aim, got string, met bool) {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	v.rows = append(v.rows, []string{what, aim, got, verdict})
}

func (v *verdicts) read(ceiling, node *seen) {
	r := ratio(node.total(), ceiling.total())
	v.add("secret read on one node, 16 clients", "≤ 2 × the ceiling's CPU",
		fmt.Sprintf("%.2f × (%s of %s µs)", r, us(node.total()), us(ceiling.total())), r <= 2)
}

func (v *verdicts) sign(ceiling, node *seen, crypto cryptoPrices) {
	aim := ceiling.total() + crypto.es256*3/2
	v.add("ES256 on one node, 16 clients", "≤ ceiling + 1.5 × the crypto",
		fmt.Sprintf("%s µs of %s", us(node.total()), us(aim)), node.total() <= aim)
}

func (v *verdicts) syncs(where string, one, many float64) {
	v.add("fdatasyncs per write, "+where+", 64 clients", "≤ 1/8 of those at 1 client",
		fmt.Sprintf("%.3f of %.2f: 1/%.1f", many, one, one/many), many <= one/8)
}

func (v *verdicts) lone(p50 time.Duration) {
	v.add("p50 of a lone write through a follower", "≤ 10 ms", ms(p50)+" ms",
		p50 <= 10*time.Millisecond)
}

func (v *verdicts) memory(bytes int64) {
	v.add("idle node of three, resident", "< 60 MB", fmt.Sprintf("%.1f MB", float64(bytes)/1e6),
		bytes < 60e6)
}

func (v *verdicts) print() {
	t := newTable("Aims", "", "aim", "this run", "")
	for _, r := range v.rows {
		t.row(r...)
	}
	t.print()
}
