package runner

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
)

// leastMasked is the length in bytes from which on a value is masked: a shorter one stands in too
// much that is no secret.
const leastMasked = 4

// mask is what is printed instead.
var mask = []byte("***")

// masks are the texts that must not be printed. They only grow: what was a secret stays one.
type masks struct {
	mu    sync.Mutex
	first [256][][]byte // by their first byte
	known map[string]bool
}

// add has a value masked: as it is, without the line break at its end, each of its lines, with the
// spaces around it and without, and as it stands in JSON. It is false for one that is too short.
func (m *masks) add(value string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addLocked(inJSON(value, true))
	m.addLocked(inJSON(value, false))
	for _, line := range strings.FieldsFunc(value,
		func(r rune) bool { return r == '\n' || r == '\r' }) {
		m.addLocked(line)
		m.addLocked(strings.TrimSpace(line)) // as shells read it
	}
	m.addLocked(strings.TrimRight(value, "\r\n"))
	return m.addLocked(value)
}

// inJSON is a text as it stands between the quotes of JSON; some writers escape <, > and &.
func inJSON(text string, escapeHTML bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(escapeHTML)
	if e.Encode(text) != nil {
		return ""
	}
	quoted := strings.TrimSpace(b.String())
	return quoted[1 : len(quoted)-1]
}

func (m *masks) addLocked(text string) bool {
	if len(text) < leastMasked {
		return false
	}
	if m.known == nil {
		m.known = map[string]bool{}
	}
	if !m.known[text] {
		m.known[text] = true
		m.first[text[0]] = append(m.first[text[0]], []byte(text))
	}
	return true
}

// match is the length of the longest masked text at the beginning of b, and whether more bytes
// could make it longer.
func (m *masks) match(b []byte) (length int, undecided bool) {
	for _, text := range m.first[b[0]] {
		switch {
		case bytes.HasPrefix(b, text):
			length = max(length, len(text))
		case bytes.HasPrefix(text, b):
			undecided = true
		}
	}
	return length, undecided
}

// A masker passes on what is written, but for what is masked. It holds back bytes at the end that
// may be the beginning of a secret, until it knows.
type masker struct {
	to      io.Writer
	masks   *masks
	held    []byte
	covered int // how many bytes at the beginning of held belong to a text that is masked already
}

func (w *masker) Write(b []byte) (int, error) {
	w.held = append(w.held, b...)
	return len(b), w.pass(false)
}

// Close passes on what is held back: it was no secret.
func (w *masker) Close() error { return w.pass(true) }

func (w *masker) pass(final bool) error {
	w.masks.mu.Lock()
	defer w.masks.mu.Unlock()
	var out []byte
	at := 0
	for ; at < len(w.held); at++ {
		length, undecided := w.masks.match(w.held[at:])
		if undecided && !final {
			break
		}
		if length > 0 && at >= w.covered {
			out = append(out, mask...)
		}
		if length > 0 {
			w.covered = max(w.covered, at+length)
		}
		if at >= w.covered {
			out = append(out, w.held[at])
		}
	}
	w.held = append(w.held[:0], w.held[at:]...)
	w.covered = max(0, w.covered-at)
	if len(out) == 0 {
		return nil
	}
	_, err := w.to.Write(out)
	return err
}
