package exchange

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/wire"
)

// A streamed call is of nobody.
type streamed struct{ Call }

func (*streamed) Known() bool { return false }

func (*streamed) AppendFailure(f *wire.Failure, dst []byte) []byte { return f.AppendSys(dst) }

func (*streamed) MakeRoom(int) error { return nil }

// An answer that ends too early is not taken for a whole one: its connection breaks.
func TestStreamThatFailsBreaksTheConnection(t *testing.T) {
	fails := errors.New("sealed")
	for _, want := range []error{nil, fails} {
		d := NewDesk(hclog.NewNullLogger(), figures.NewMeters())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := new(streamed)
			c.Begin(d, w, r, c)
			c.Stream = func(w io.Writer) error {
				_, err := w.Write(make([]byte, 3*StreamPiece))
				return errors.Join(err, want)
			}
			c.write()
		}))
		answer, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		server.Close()
		if n != 3*StreamPiece || (err != nil) != (want != nil) {
			t.Errorf("%d bytes came, and then %v, for a stream that ended with %v", n, err, want)
		}
	}
}
