package operator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

// fetchStall is how long a node may send nothing of a long answer, and fetchStart how long it may
// take to begin: it reads through what it is to send first.
const (
	fetchStall = time.Minute
	fetchStart = 10 * time.Minute
)

var errStalled = errors.New("the node has sent nothing for a minute, or not begun in ten")

// Fetch copies an answer of any length to w. What w holds after an error is not the whole.
func (c *Client) Fetch(ctx context.Context, path string, w io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watch := time.AfterFunc(fetchStart, func() { stop(errStalled) })
	defer watch.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Request", "true")
	request.Header.Set("X-Vault-Token", c.Token)
	unbounded := *c.HTTP
	unbounded.Timeout = 0 // the watch is instead
	answer, err := unbounded.Do(request)
	if err != nil {
		return console.Exit(2, c.unreached(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		return console.Exit(2, c.explained(refusal(answer.StatusCode, body)))
	}
	came := &progressing{r: answer.Body, watch: watch}
	if _, err = io.Copy(w, came); err == nil || came.err == nil {
		return err // of w
	}
	return console.Exit(2, fmt.Errorf("the node ended its answer too early (its log says why): %w",
		cmp.Or(context.Cause(ctx), came.err)))
}

// sendEnd is how long a node may take to answer when it has the whole of a long request: longer than
// it takes inside.
const sendEnd = 31 * time.Minute

// Send posts what is read from r, of any length, and decodes the answer into out (nil: not wanted).
// An error that is no *Refusal leaves open what the node did.
func (c *Client) Send(ctx context.Context, path string, r io.Reader, out any) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watch := time.AfterFunc(sendEnd, func() { stop(errStalled) })
	defer watch.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+path, r)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Request", "true")
	request.Header.Set("X-Vault-Token", c.Token)
	request.Header.Set("Content-Type", "application/gzip")
	unbounded := *c.HTTP
	unbounded.Timeout = 0 // the watch is instead
	answer, err := unbounded.Do(request)
	if err != nil {
		return console.Exit(2, fmt.Errorf("%w; whether the node did it its usage log tells "+
			"(docs/usage-log.md)", cmp.Or(context.Cause(ctx), c.unreached(err))))
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case answer.StatusCode >= 300:
		return console.Exit(2, c.explained(refusal(answer.StatusCode, body)))
	case out == nil:
		return nil
	case err == nil:
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return console.Exit(2,
			fmt.Errorf("the node did what was asked, and its answer to %s is not what "+
				"this version understands: %w", path, err))
	}
	return nil
}

// progressing winds up a watch with whatever comes.
type progressing struct {
	r     io.Reader
	watch *time.Timer
	err   error // what ended it, nil for its end
}

func (p *progressing) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.watch.Reset(fetchStall)
	}
	if err != io.EOF {
		p.err = err
	}
	return n, err
}

// Bounded takes so many bytes of an answer, and refuses more.
func Bounded(to *bytes.Buffer, most int) io.Writer { return &bounded{to, most} }

type bounded struct {
	to   *bytes.Buffer
	most int
}

func (b *bounded) Write(piece []byte) (int, error) {
	if b.to.Len()+len(piece) > b.most {
		return 0, fmt.Errorf("the answer has more than %d bytes", b.most)
	}
	return b.to.Write(piece)
}
