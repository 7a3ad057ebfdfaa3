package httpapi

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// An answer that ends too early is not taken for a whole one: its connection breaks.
func TestStreamThatFailsBreaksTheConnection(t *testing.T) {
	fails := errors.New("sealed")
	for _, want := range []error{nil, fails} {
		d := newDesk(hclog.NewNullLogger(), newMeters())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := new(documentCall)
			c.begin(d, w, r, c)
			c.stream = func(w io.Writer) error {
				_, err := w.Write(make([]byte, 3*streamPiece))
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
		if n != 3*streamPiece || (err != nil) != (want != nil) {
			t.Errorf("%d bytes came, and then %v, for a stream that ended with %v", n, err, want)
		}
	}
}
