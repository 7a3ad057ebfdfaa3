package wrapper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A helper is the program that uses a token (cmd/keyquorum-pkcs11): one process for one operation.
// It is asked by a JSON object on its standard input, and answers with one on its standard output.
// It has no argument but "use", and no environment but what the configuration names.
type helper struct {
	path string
	env  []string // NAME=VALUE
}

// tokenRequest is what the helper reads.
type tokenRequest struct {
	tokenPlace
	Do   string `json:"do"` // "wrap" or "unwrap"
	Data []byte `json:"data"`
}

// tokenAnswer is what it writes: data, or an error.
type tokenAnswer struct {
	Data  []byte `json:"data"`
	Error string `json:"error"`
	PIN   bool   `json:"pin"` // a token that is asked again may lock
}

const (
	maxSaid      = 500                    // bytes of what a helper says, in an error
	lastMoments  = 500 * time.Millisecond // for its pipes to close, after it has ended
	maxComplaint = 4 << 10                // bytes of its standard error that are kept
)

// A PINError says that a token has refused its PIN, or was not given it because it may lock.
type PINError struct{ text string }

func (e *PINError) Error() string { return e.text }

// Final says that whoever asks by himself asks no more: a token locks after a few wrong PINs.
func (e *PINError) Final() bool { return true }

// check looks at the program's file.
func (h helper) check() error {
	info, err := os.Stat(h.path)
	switch {
	case err != nil:
		return fmt.Errorf("the helper for PKCS#11: %w: make hsm builds it, and helper= says where it is",
			err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is no program", h.path)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("every user of the machine can change %s, which this node runs: chmod o-w %s",
			h.path, h.path)
	}
	return nil
}

// ask runs the helper once. With the end of ctx it is killed, and what it has begun with it.
func (h helper) ask(ctx context.Context, q tokenRequest) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	defer clear(body)
	out, complaints := bounded{most: maxAnswer}, bounded{most: maxComplaint, rest: true}
	defer out.clear()
	cmd := exec.CommandContext(ctx, h.path, "use")
	cmd.Env = append([]string{}, h.env...) // not nil, which would be the node's own
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), &out, &complaints
	cmd.WaitDelay = lastMoments
	contain(cmd)
	runtime.LockOSThread() // with whose end the helper is killed
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s was not done in time: is the token there, and awake? (%w)", h.path,
			ctx.Err())
	case out.full:
		return nil, fmt.Errorf("%s has answered more than %d bytes: it is no helper of Keyquorum",
			h.path, maxAnswer)
	case err != nil:
		return nil, fmt.Errorf("%s has failed: %w %s", h.path, err,
			plain(string(complaints.content)))
	}
	return decodeAnswer(out.content)
}

var errNoAnswer = errors.New("the helper for PKCS#11 gives no answer that this node knows: is it " +
	"of another version?")

// decodeAnswer takes one JSON object that has either data or an error.
func decodeAnswer(text []byte) ([]byte, error) {
	var a tokenAnswer
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, errNoAnswer
	}
	said := plain(a.Error)
	if _, err := d.Token(); err != io.EOF || (len(a.Data) > 0) == (said != "") {
		clear(a.Data)
		return nil, errNoAnswer
	}
	switch {
	case said == "":
		return a.Data, nil
	case a.PIN:
		return nil, &PINError{said}
	}
	return nil, errors.New(said)
}

// plain is the beginning of a text, as one line of printable ASCII.
func plain(text string) string {
	line := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, text)
	line = strings.Join(strings.Fields(line), " ")
	return line[:min(len(line), maxSaid)]
}

// bounded keeps the first bytes that are written to it. The next ones are an error, unless the rest
// may be lost.
type bounded struct {
	content []byte
	most    int
	rest    bool
	full    bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.content == nil {
		b.content = make([]byte, 0, b.most) // never moved: clear finds all of it
	}
	room := b.most - len(b.content)
	b.content = append(b.content, p[:min(len(p), room)]...)
	if len(p) <= room || b.rest {
		return len(p), nil
	}
	b.full = true
	return room, io.ErrShortWrite
}

func (b *bounded) clear() { clear(b.content) }
