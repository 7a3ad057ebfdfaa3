// Package terse keeps a log short, whatever happens to a node: of lines that say the same it writes
// the first few, and then how many there were. Libraries write a line for each packet and each
// failed call, and strangers choose how many of these there are.
package terse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

// Of each kind of line burst are written in a while, of what is for debugging more. Kinds beyond
// maxKinds in one while count as one.
const (
	While      = 10 * time.Second
	burst      = 5
	debugBurst = 100
	maxKinds   = 512
)

// repeated is the line that says how many were held back. It is always written.
const repeated = "lines like this were left out"

// seldom are lines that one peer causes for as long as it runs, several a second. Of each, with all
// that it names, one an hour is written.
var seldom = []string{"a node is refused because of its release"}

// A Filter holds repeated lines back. Its method Exclude goes into hclog's options.
type Filter struct {
	held   atomic.Uint64
	ending atomic.Bool

	mu      sync.Mutex
	kinds   map[kind]*tally
	written map[string]time.Time // of seldom lines, within the last hour
}

type kind struct {
	level hclog.Level
	text  string
}

type tally struct {
	lines, held int
	last        string // that was held back, in full
}

// New returns a filter that has seen nothing yet.
func New() *Filter {
	return &Filter{kinds: map[kind]*tally{}, written: map[string]time.Time{}}
}

// Held is how many lines were not written.
func (f *Filter) Held() uint64 { return f.held.Load() }

// Exclude says whether a line is held back.
func (f *Filter) Exclude(level hclog.Level, message string, args ...any) bool {
	if message == repeated {
		return false
	}
	if f.ending.Load() && ofEnding(message) {
		f.held.Add(1)
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(seldom, message) && f.isRecent(message+fmt.Sprint(args...)) {
		f.held.Add(1)
		return true
	}
	k := kind{level, sameText(message)}
	t := f.kinds[k]
	if t == nil {
		if len(f.kinds) >= maxKinds {
			k = kind{level: level}
		}
		if t = f.kinds[k]; t == nil {
			t = new(tally)
			f.kinds[k] = t
		}
	}
	t.lines++
	if t.lines <= most(level) {
		return false
	}
	t.held++
	t.last = message
	f.held.Add(1)
	return true
}

// isRecent says whether a seldom line was let through within the last hour, and notes it if not.
// There are never more than maxKinds to remember: beyond these all pass for recent.
func (f *Filter) isRecent(line string) bool {
	now := time.Now()
	maps.DeleteFunc(f.written, func(_ string, at time.Time) bool { return now.Sub(at) >= time.Hour })
	if _, there := f.written[line]; there || len(f.written) >= maxKinds {
		return true
	}
	f.written[line] = now
	return false
}

func most(level hclog.Level) int {
	if level < hclog.Info {
		return debugBurst
	}
	return burst
}

// sameText is what lines have in common that say the same of others: words without digits. A
// library puts addresses and lengths into its text.
func sameText(message string) string {
	if !strings.ContainsFunc(message, unicode.IsDigit) {
		return strings.Clone(message)
	}
	var words []string
	for word := range strings.FieldsSeq(message) {
		if !strings.ContainsFunc(word, unicode.IsDigit) && !strings.Contains(word, "[::") {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// Run says at the end of each while what was held back in it, until ctx ends.
func (f *Filter) Run(ctx context.Context, logger hclog.Logger) {
	ticks := time.NewTicker(While)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			f.tell(logger)
		case <-ctx.Done():
			f.tell(logger)
			return
		}
	}
}

func (f *Filter) tell(logger hclog.Logger) {
	f.mu.Lock()
	all := f.kinds
	f.kinds = map[kind]*tally{}
	f.mu.Unlock()
	for k, t := range all {
		if t.held > 0 {
			logger.Log(k.level, repeated, "lines", t.held, "last", t.last)
		}
	}
}

// End says that this process stops in order: what libraries say of connections that it closes
// itself is no news from here on.
func (f *Filter) End() { f.ending.Store(true) }

// ofEnding matches what raft and memberlist say of connections that were closed under them.
func ofEnding(message string) bool {
	for _, begin := range []string{
		"failed to decode incoming command", "failed to accept connection", "failed to flush response",
		"failed to appendEntries to", "failed to heartbeat to", "failed to pipeline appendEntries",
		"memberlist: Failed to", "memberlist: Error accepting", "memberlist: Push/Pull with",
	} {
		if strings.HasPrefix(message, begin) {
			return true
		}
	}
	return false
}
