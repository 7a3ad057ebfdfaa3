package httpapi

import (
	"bytes"
	"net/http"
	"runtime/pprof"

	"keyquorum/httpapi/wire"
)

// profileRoutes are the one of Vault's profiles that shows where a node hangs, and nothing of what
// it holds. Its answer is the short form, functions and how many goroutines are in each: the long one
// has arguments, and an argument may be part of a key. It asks no other node, so that one which is
// cut off can be looked at.
func profileRoutes() []route {
	return []route{{methods: opGet, shape: "sys/pprof/goroutine", operation: "sys/pprof", alone: true,
		serve: recorded(goroutines, nothing, writeGoroutines)}}
}

// goroutines stops the process for as long as it takes to look at each, so one may ask at a time.
func goroutines(c *opCall, _ *none) ([]byte, error) {
	if !c.ops.profiling.TryLock() {
		return nil, wire.Refuse(http.StatusTooManyRequests, "",
			"somebody else asks for it now: ask again")
	}
	defer c.ops.profiling.Unlock()
	var text bytes.Buffer
	const short = 1
	err := pprof.Lookup("goroutine").WriteTo(&text, short)
	return text.Bytes(), err
}

func writeGoroutines(c *opCall, text *[]byte) error {
	c.w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	c.shared = *text
	return nil
}
