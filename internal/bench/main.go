// Command bench measures what a request costs a running node, beside what it would cost anybody: a
// bare net/http server that answers the same number of bytes over the same TLS (the ceiling), and
// Go's own cryptography.
//
// Nodes are processes of the real program, the ceiling is this program run again, so that the CPU
// time of a server is its own and never the client's. Nothing here is a timed test: figures depend
// on the machine, and only those of one run may be compared. docs/benchmarks.md has a run and what
// follows from it.
//
// "bench load" fills one vault instead, and measures the node that holds it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"keyquorum/testcluster"
)

// A plan bounds a run.
type plan struct {
	slice   time.Duration   // each cell is measured in slices, in turn with those that it is compared with
	rounds  int             // slices of a cell
	most    int             // requests of a slice
	clients []int           // how many ask at once
	idle    time.Duration   // how long nodes without a request are watched
	lone    int             // writes of one client behind a median
	commits []time.Duration // Raft's commit time-outs to compare; the first is the default
}

var (
	full = plan{
		slice: 600 * time.Millisecond, rounds: 4, most: 20000, clients: []int{1, 16, 64},
		idle: 5 * time.Second, lone: 300,
		commits: []time.Duration{50 * time.Millisecond, 10 * time.Millisecond, 5 * time.Millisecond,
			3 * time.Millisecond},
	}
	quick = plan{
		slice: 250 * time.Millisecond, rounds: 2, most: 4000, clients: []int{1, 16, 64},
		idle: 2 * time.Second, lone: 60, commits: []time.Duration{50 * time.Millisecond},
	}
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == ceilingWord {
		serveCeiling(os.Args[2], os.Args[3])
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == volumeWord {
		return fillVolume(ctx, args[1:])
	}
	short := flag.Bool("quick", false, "a run of about a minute: fewer samples, one commit time-out")
	flag.Parse()
	p := full
	if *short {
		p = quick
	}
	return withProgram(func() error { return run(ctx, p) })
}

// withProgram builds the program before anything is measured, so that no node's start includes it.
func withProgram(do func() error) error {
	binary, err := testcluster.Binary()
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(binary))
	return do()
}

// run measures everything and prints it as it comes, as Markdown.
func run(ctx context.Context, p plan) error {
	os.Setenv("KEYQUORUM_THROTTLE", "0") // all load is one application's
	fmt.Println(machine())
	c := measureCrypto(p)
	printCrypto(c)
	return inHarness(ctx, func(h *harness) {
		var v verdicts
		measureRequests(h, p, c, &v)
		measureSyncs(h, p, &v)
		measureCommits(h, p, &v)
		v.print()
	})
}
