package main

import (
	"fmt"
	"time"
)

// print writes the figures as Markdown.
func (v *volume) print() {
	fmt.Println(v.Machine)
	t := newTable(fmt.Sprintf("One node, one vault, %d secrets of 1 KiB", v.Secrets), "", "this run")
	row := func(what, format string, args ...any) { t.row(what, fmt.Sprintf(format, args...)) }
	row("writes per second", "%.0f", v.PerSecond)
	row(fmt.Sprintf("a write, %d clients", v.Clients), "p50 %s ms, p99 %s ms", ms(v.WriteP50),
		ms(v.WriteP99))
	row("resident memory, empty", "%s", mib(v.Empty))
	row("resident memory, after the last write", "%s", mib(v.Filled))
	row("resident memory, peak", "%s", mib(v.Peak))
	row("resident memory, after a restart", "%s", mib(v.Restarted))
	row("disk used", "%s", mib(v.Disk.Total))
	row("of it log, snapshots, usage log", "%s, %s, %s", mib(v.Disk.Log), mib(v.Disk.Snapshots),
		mib(v.Disk.Usage))
	row("start until seal-status answers", "%s ms, %s of CPU", whole(v.Start), whole(v.StartCPU))
	row("start until the node leads, sealed", "%s ms", whole(v.Lead))
	row("unseal until a secret is read", "%s ms", whole(v.Unseal))
	if s := v.Snapshot; s != nil {
		row("newest snapshot", "%s in %s ms, entries to %d of %d", mib(s.Size), whole(s.Took), s.Index,
			v.Applied)
	} else {
		row("newest snapshot", "none: the log weighs too little")
	}
	row("a snapshot saved, and verified", "%s in %s ms, %s ms", mib(v.Backup.Size),
		whole(v.Backup.Save), whole(v.Backup.Verify))
	row("the snapshot restored", "%s ms, %s of CPU", whole(v.Backup.Restore),
		whole(v.Backup.RestoreCPU))
	t.print()
	t = newTable("Listing a vault in pages of 25", "secrets", "seconds", "node's CPU µs a page",
		"first pages ms", "last pages ms")
	for _, l := range v.Listings {
		t.row(fmt.Sprint(l.Secrets), fmt.Sprintf("%.2f", l.Took.Seconds()),
			us(l.CPU/time.Duration(l.Pages)), ms(l.First), ms(l.Last))
	}
	t.print()
	t = newTable(fmt.Sprintf("Allocated for a page, node and client, vault of %d",
		min(v.Secrets, mostInside)), "pages", "KiB", "allocations")
	for _, p := range v.PageMemory {
		t.row(p.Pages, fmt.Sprintf("%.1f", float64(p.Bytes)/1024), fmt.Sprint(p.Mallocs))
	}
	t.print()
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func whole(d time.Duration) string { return fmt.Sprintf("%.0f", d.Seconds()*1e3) }
