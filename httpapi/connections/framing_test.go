package connections_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"keyquorum/httpapi/connections"
	"keyquorum/internal/twoways"
)

// follow gives the framing n bytes at a time.
func follow(bytes string, n int) error {
	var f connections.Framing
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
		for name, request := range twoways.Requests {
			if follow(request, n) == nil {
				t.Errorf("%s, %d bytes at a time: taken", name, n)
			}
		}
		for name, request := range twoways.OneWay {
			if err := follow(request, n); err != nil {
				t.Errorf("%s, %d bytes at a time: %v", name, n, err)
			}
		}
	}
}

// What the framing takes net/http cuts up alike: both find the same number of requests, with bodies
// of the same sizes.
func FuzzFraming(f *testing.F) {
	for _, seeds := range []map[string]string{twoways.Requests, twoways.OneWay} {
		for _, seed := range seeds {
			f.Add([]byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, parts connections.Framing
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
			var again connections.Framing
			rest, _ := io.ReadAll(left)
			if err := again.Take(rest); err != nil || !again.Between() {
				t.Fatalf("after a request of net/http's %q is left", rest)
			}
			left = bufio.NewReader(bytes.NewReader(rest))
		}
	})
}
