package figures

import "strings"

// What tests from outside may look at.

// FigureRows are the lines of the table in docs/metrics.md.
func FigureRows() (rows []string) {
	where := map[when]string{always: "all", onMember: "with data", onLeader: "leader"}
	for _, f := range figures {
		labels := ""
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		rows = append(rows, "| `"+f.name+"` | "+f.shape+" | "+labels+" | "+where[f.when]+" | "+f.help+
			" |")
	}
	return rows
}
