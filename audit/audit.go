// Package audit is the usage log: one JSON line for every request, written before it is answered.
package audit

import (
	"io"
	"time"
)

// An Entry is one request (decision 21). Empty fields are left out of the line.
type Entry struct {
	Time          time.Time
	RequestID     string
	Node          string
	Plane         string // "app" or "operator"
	OID, AppID    string // principal of the application plane
	Accessor      string // token accessor of the operator plane
	Remote        string // peer address
	Operation     string // "secrets/get", "keys/sign", "sys/seal", …
	Vault         string
	Object        string
	Version       string
	Status        int    // HTTP status of the answer
	Code          string // error code, "" for success
	Duration      time.Duration
	ClientRequest string // x-ms-client-request-id, cut to 64 printable characters
}

// A Log writes entries in groups by one writer.
type Log struct{}

// A Sink is where lines go: a file, or a test's.
type Sink interface {
	io.Writer
	Sync() error
	Close() error
}

// Open opens (creates, 0600) the file at path. OpenSink uses another sink.
func Open(path string) (*Log, error) { panic("not built yet") }
func OpenSink(s Sink) *Log           { panic("not built yet") }

// Write returns when write(2) has returned for the entry's line, or with the error for which the request must fail.
func (l *Log) Write(e *Entry) error { panic("not built yet") }

// Reopen closes and opens the file again, for rotation by name (SIGHUP).
func (l *Log) Reopen() error { panic("not built yet") }
func (l *Log) Close() error  { panic("not built yet") }
