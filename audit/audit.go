// Package audit is the usage log: one JSON line for every request, written before it is answered.
//
// It owns the file, the shape of a line, and one goroutine that writes. It promises that Write
// returns nil only when write(2) has taken the whole line (I10), that a line is one line of ASCII
// whatever a client sent, and that a line torn by a full disk never runs into a good one. What is
// written reaches the disk within a second: a power cut can lose that second, a crash of the
// process nothing. A file that is deleted, cut, replaced, or renamed without a signal is noticed
// within a second, and takes no line until it is opened anew. The package never decides what is
// recorded, reads no clock for an entry, and takes no plaintext: callers give it names and outcomes
// only.
package audit

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"keyquorum/internal/tally"
)

const (
	// syncEvery is how long a written line may wait for its fsync.
	syncEvery = time.Second
	// lookEvery is how often the file's name is looked at. Two looks in a row settle that it is not
	// the file's any more, so that this is noticed within a second.
	lookEvery = 400 * time.Millisecond
	// maxWaiting bounds the bytes that wait for the writer: some 25,000 usual lines. A healthy disk
	// never lets it come near; beyond it requests fail at once instead of piling up behind a disk that
	// hangs.
	maxWaiting = 8 << 20
)

var (
	// ErrClosed: the log was closed before the entry was taken.
	ErrClosed = errors.New("audit: the usage log is closed")
	// ErrFull: more than 8 MiB of entries wait for a sink that does not keep up. The entry was not
	// taken.
	ErrFull = errors.New("audit: too many usage records are waiting to be written")
)

// An Entry is one request, or one thing that a node did of itself (decision 21). Empty fields are
// left out of the line.
type Entry struct {
	Time          time.Time
	RequestID     string
	Node          string
	Plane         string // "app", "operator", or "node" for what the node does of itself
	OID, AppID    string // principal of the application plane
	Accessor      string // token accessor of the operator plane
	Remote        string // the caller's address
	Via           string // the balancer's that said so
	Operation     string // "secrets/get", "keys/sign", "sys/seal", …
	Vault         string
	Object        string
	Version       string
	With          string // "name/version" of the other key that was used: an import's, which what came in was wrapped for
	SubjectOID    string // of the application that an operator's act was about, by its ids
	SubjectAppID  string
	Detail        string // what an operator's act made so: permissions, settings, …
	Status        int    // HTTP status of the answer; 202 for what the node begins of itself
	Code          string // error code, "" for success
	Duration      time.Duration
	ClientRequest string // x-ms-client-request-id, cut to 64 printable characters
}

// A Sink is where lines go: a file, or a test's. One goroutine at a time calls it. Write must say
// truly how many bytes it took, as io.Writer asks: the next line's beginning depends on it.
type Sink interface {
	io.Writer
	Sync() error
	Close() error
}

// A Log writes entries in groups by one writer. Its methods may be called from any goroutine.
type Log struct {
	path string        // "" for a sink that is not our file
	wake chan struct{} // holds one: the filling group has entries
	asks chan chan error
	quit chan struct{} // closed by Close
	done chan struct{} // closed when the writer has ended

	mu      sync.Mutex // guards filling and closed
	filling *group     // entries join it until the writer takes it
	closed  bool

	w        writer
	watch    watch
	closeErr error // set before done is closed

	waits    tally.Durations
	failures atomic.Uint64
}

// A group is the lines of all entries that waited while the writer was busy: they share one
// write(2) and its error.
type group struct {
	lines []byte
	done  chan struct{} // closed when err is final
	err   error
}

// Open opens the file at path for appending; it is created with mode 0600. Close it to end its
// goroutine.
func Open(path string) (*Log, error) {
	f, atLineStart, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return start(path, f, atLineStart), nil
}

// OpenSink writes to s instead of a file. Close closes s.
func OpenSink(s Sink) *Log { return start("", s, true) }

func start(path string, s Sink, atLineStart bool) *Log {
	l := &Log{
		path:    path,
		wake:    make(chan struct{}, 1),
		asks:    make(chan chan error),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		filling: &group{done: make(chan struct{})},
		w:       writer{sink: s, midLine: !atLineStart},
	}
	go l.run()
	return l
}

var linePool = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// Write returns when write(2) has returned for the entry's line, or with the error for which the
// request must fail. After an error the line may be in the file wholly, in part or not at all.
func (l *Log) Write(e *Entry) error {
	begun := time.Now()
	err := l.write(e)
	if err != nil {
		l.failures.Add(1)
		return err
	}
	l.waits.Note(time.Since(begun))
	return nil
}

func (l *Log) write(e *Entry) error {
	buf := linePool.Get().(*[]byte)
	*buf = appendLine((*buf)[:0], e)
	g, err := l.join(*buf)
	linePool.Put(buf)
	if err != nil {
		return err
	}
	<-g.done
	return g.err
}

// Stats are counters since the log was opened.
type Stats struct {
	Waits    tally.Distribution // of entries that were written, from Write to its return
	Failures uint64             // entries for which Write gave an error
}

// Stats never waits for the writer.
func (l *Log) Stats() Stats { return Stats{l.waits.Read(), l.failures.Load()} }

// join adds a line to the filling group and returns the group to wait for.
func (l *Log) join(line []byte) (*group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	g := l.filling
	if len(g.lines)+len(line) > maxWaiting {
		return nil, ErrFull
	}
	if len(g.lines) == 0 {
		l.wake <- struct{}{} // never blocks: the writer took the last token before it took the last group
	}
	g.lines = append(g.lines, line...)
	return g, nil
}

// take hands the filling group to the writer and lets the next one fill the buffer given.
func (l *Log) take(buf []byte) *group {
	next := &group{lines: buf[:0], done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.filling
	l.filling = next
	return g
}

// Reopen closes and opens the file again, for rotation by name (SIGHUP). When the new file can't be
// opened the old one stays in use. A sink that is not a file of ours is synced.
func (l *Log) Reopen() error {
	answer := make(chan error, 1)
	select {
	case l.asks <- answer:
		return <-answer
	case <-l.done:
		return ErrClosed
	}
}

// Close writes what waits, syncs, closes the sink and ends the writer. Later calls return the first
// one's error.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.quit)
	}
	l.mu.Unlock()
	<-l.done
	return l.closeErr
}

// run is the writer: it ends when Close asks, after the last group.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(syncEvery)
	timer.Stop()
	looks, stop := l.looks()
	defer stop()
	var spare []byte
	for {
		select {
		case <-l.wake:
			spare = l.writeGroup(spare, timer)
		case <-timer.C: // if it fails, the entries after it hear of it
			_ = l.watch.step(&l.watch.sync, func() error { l.w.sync(); return l.w.syncErr })
			if l.w.dirty { // try again
				timer.Reset(syncEvery)
			}
		case <-looks: // likewise
			_ = l.watch.step(&l.watch.look, l.w.look)
		case answer := <-l.asks:
			err := l.w.reopen(l.path)
			if err == nil {
				l.watch.reopened()
			}
			answer <- err
		case <-l.quit:
			l.writeGroup(spare, timer)
			timer.Stop()
			l.closeErr = l.w.close()
			return
		}
	}
}

// looks are when the file is to be looked at; a sink that is not a file of ours never is.
func (l *Log) looks() (due <-chan time.Time, stop func()) {
	if l.path == "" {
		return nil, func() {}
	}
	ticker := time.NewTicker(lookEvery)
	return ticker.C, ticker.Stop
}

// writeGroup writes the filling group and gives its buffer back. The timer runs from the first
// write after a sync.
func (l *Log) writeGroup(spare []byte, timer *time.Timer) []byte {
	g := l.take(spare)
	if len(g.lines) > 0 {
		clean := !l.w.dirty
		g.err = l.watch.step(&l.watch.write, func() error { return l.w.write(g.lines) })
		if clean && l.w.dirty {
			timer.Reset(syncEvery)
		}
	}
	close(g.done)
	if cap(g.lines) > maxSpare {
		return nil
	}
	return g.lines
}

// maxSpare is the largest buffer kept for the next group; one burst must not hold its memory for
// ever.
const maxSpare = 256 << 10

// A writer is the sink and what the writing goroutine knows of it. No other goroutine touches it.
type writer struct {
	sink    Sink
	midLine bool  // the last byte in the sink is not a newline: a write was cut short
	dirty   bool  // bytes were written since the last good sync
	syncErr error // of the last sync; while it stands nothing is written
}

// write gives the lines to the sink in one call.
func (w *writer) write(lines []byte) error {
	if w.syncErr != nil {
		return w.syncErr
	}
	if w.midLine {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := w.sink.Write(lines)
	if n > 0 {
		w.dirty = true
		w.midLine = lines[min(n, len(lines))-1] != '\n'
	}
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("audit: writing the usage log: %w", err)
	}
	return nil
}

// sync brings what was written to the disk. While it fails, every entry is refused: lines that may
// not last must not let requests through for longer than the second that is lost anyway.
func (w *writer) sync() {
	w.syncErr = nil
	if !w.dirty {
		return
	}
	if err := w.sink.Sync(); err != nil {
		w.syncErr = fmt.Errorf("audit: syncing the usage log: %w", err)
		return
	}
	w.dirty = false
}

// reopen changes to a newly opened file at path. The new file is open before the old one is let go.
func (w *writer) reopen(path string) error {
	if path == "" {
		w.sync()
		return w.syncErr
	}
	f, atLineStart, err := openFile(path)
	if err != nil {
		return err
	}
	err = w.close()
	*w = writer{sink: f, midLine: !atLineStart}
	return err
}

// look has entries refused when the file is not the log any more.
func (w *writer) look() error {
	if err := w.sink.(*file).look(); err != nil {
		return fmt.Errorf("audit: looking at the usage log: %w", err)
	}
	return nil
}

func (w *writer) close() error {
	w.sync()
	if err := w.sink.Close(); err != nil {
		return errors.Join(w.syncErr, fmt.Errorf("audit: closing the usage log: %w", err))
	}
	return w.syncErr
}
