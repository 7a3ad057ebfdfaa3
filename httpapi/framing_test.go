package httpapi_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

const framedHead = "POST /v1/sys/unseal HTTP/1.1\r\nHost: h\r\n"

// Requests that another parser could take for something else than net/http does.
var twoWays = map[string]string{
	"length and chunked": framedHead +
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunked and length": framedHead +
		"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
	"two lengths":          framedHead + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
	"lengths in a list":    framedHead + "Content-Length: 5, 5\r\n\r\nabcde",
	"a length with a sign": framedHead + "Content-Length: +5\r\n\r\nabcde",
	"an empty length":      framedHead + "Content-Length: \r\n\r\n",
	"a folded length":      framedHead + "Content-Length:\r\n 5\r\n\r\nabcde",
	"two codings":          framedHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"a coding twice": framedHead +
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"a coding of old":        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"a bare LF":              "GET / HTTP/1.1\nHost: h\n\n",
	"a bare LF in a header":  "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
	"a bare CR in a header":  "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
	"a folded header":        "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n",
	"a space before a colon": "GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
	"a name that is none":    "GET / HTTP/1.1\r\nHost: h\r\nX(y): z\r\n\r\n",
	"a line before":          "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"an absolute target":     "GET https://other/v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n",
	"an authority":           "CONNECT other:443 HTTP/1.1\r\nHost: h\r\n\r\n",
	"two spaces":             "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
	"another version":        "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
	"a chunk's extension": framedHead +
		"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
	"a chunk with a bare LF":  framedHead + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
	"a chunk that runs over":  framedHead + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
	"a trailer":               framedHead + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
	"one after a good length": framedHead + "Content-Length: 5\r\n\r\nabcdeGET / HTTP/1.1\n\n",
}

var oneWay = map[string]string{
	"a path":     "GET /a?b=%20c HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Spaces:  a b \t\r\n\r\n",
	"the server": "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"of old":     "GET / HTTP/1.0\r\n\r\n",
	"a length":   framedHead + "Content-Length:  5 \r\n\r\nab\ncd",
	"no length":  framedHead + "Content-Length: 0\r\n\r\n",
	"chunks": framedHead +
		"Transfer-Encoding: Chunked\r\n\r\n3\r\na\nb\r\n0A\r\n0123456789\r\n0\r\n\r\n",
	"a similar name":  framedHead + "Content-Length-X: a, b:c\r\nX-Transfer-Encoding: gzip\r\n\r\n",
	"two in a row":    framedHead + "Content-Length: 1\r\n\r\nxGET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"a long value":    "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 9000) + "\r\n\r\n",
	"a word of UTF-8": "GET / HTTP/1.1\r\nHost: h\r\nX: näh\r\n\r\n",
}

// follow gives the framing n bytes at a time.
func follow(bytes string, n int) error {
	var f httpapi.Framing
	for len(bytes) > 0 {
		n := min(n, len(bytes))
		if err := f.Take([]byte(bytes[:n])); err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}

func TestRequestsThatCanBeReadInTwoWays(t *testing.T) {
	for _, n := range []int{1, 3, 1 << 20} {
		for name, request := range twoWays {
			if follow(request, n) == nil {
				t.Errorf("%s, %d bytes at a time: taken", name, n)
			}
		}
		for name, request := range oneWay {
			if err := follow(request, n); err != nil {
				t.Errorf("%s, %d bytes at a time: %v", name, n, err)
			}
		}
	}
}

// What the framing takes net/http cuts up alike: both find the same number of requests, with bodies
// of the same sizes.
func FuzzFraming(f *testing.F) {
	for _, seeds := range []map[string]string{twoWays, oneWay} {
		for _, seed := range seeds {
			f.Add([]byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, parts httpapi.Framing
		err := whole.Take(stream)
		begun := 0 // where the last request begins
		for i := range stream {
			if parts.Take(stream[i:i+1]) != nil {
				if err == nil {
					t.Fatal("byte by byte it is refused, and at once it isn't")
				}
				return
			}
			if parts.Between() {
				begun = i + 1
			}
		}
		if err != nil {
			t.Fatal("at once it is refused, and byte by byte it isn't")
		}
		if !whole.Between() {
			if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(stream[begun:]))); err == nil &&
				whole.InHead() {
				t.Fatalf("net/http takes a head that isn't complete: %q", stream[begun:])
			}
			return
		}
		left := bufio.NewReader(bytes.NewReader(stream))
		for {
			r, err := http.ReadRequest(left)
			if err == io.EOF {
				return
			}
			if err != nil {
				return // net/http refuses more
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Fatalf("net/http misses something of a body: %v", err)
			}
			var again httpapi.Framing
			rest, _ := io.ReadAll(left)
			if err := again.Take(rest); err != nil || !again.Between() {
				t.Fatalf("after a request of net/http's %q is left", rest)
			}
			left = bufio.NewReader(bytes.NewReader(rest))
		}
	})
}
