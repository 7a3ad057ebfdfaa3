package exchange

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"keyquorum/httpapi/wire"
)

// decode reads the body and decodes it into req, a pointer to a struct. What is done with members
// that it does not know is said in wire/unknown.go.
func (c *Call) decode(req any) error {
	if c.Route.Body == 0 {
		return nil
	}
	if _, ok := req.(*None); ok {
		return nil
	}
	if err := c.ReadBody(); err != nil {
		return err
	}
	return wire.Decode(*c.Body, req)
}

// readBody appends the request's body to dst, at most limit bytes of it. It asks room before dst
// grows beyond SmallBody.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, dst []byte,
	room func(bytes int) error) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return dst, nil
	}
	if r.ContentLength > limit {
		return dst, tooLarge()
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return dst, encoded()
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	for {
		if len(dst) == cap(dst) {
			if len(dst) > SmallBody {
				if err := room(len(dst)); err != nil {
					return dst, err
				}
			}
			dst = grow(dst)
		}
		n, err := body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, bodyFailure(err)
		}
	}
}

// grow doubles a buffer and clears what it leaves behind.
func grow(b []byte) []byte {
	bigger := make([]byte, len(b), 2*cap(b)+512)
	copy(bigger, b)
	clear(b)
	return bigger
}

func bodyFailure(err error) error {
	var max *http.MaxBytesError
	switch {
	case errors.As(err, &max):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wire.Refuse(http.StatusRequestTimeout, "RequestTimeout",
			"The request body did not arrive in time.")
	default:
		return wire.Refuse(http.StatusBadRequest, "BadParameter", "The request body ended early.")
	}
}

func encoded() error {
	return wire.Refuse(http.StatusUnsupportedMediaType, "UnsupportedMediaType",
		"Request bodies are taken as they are, without Content-Encoding.")
}

func tooLarge() error {
	return wire.Refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
		"request body too large")
}
