package wire

import "sync"

// buffers are for bodies and answers. They are cleared before they are put back, since they hold
// secrets.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKept is the size above which a buffer is left to the collector: one big body shall not stay in
// every pool.
const maxKept = 64 << 10

// TakeBuffer returns an empty buffer, for one call.
func TakeBuffer() *[]byte { return buffers.Get().(*[]byte) }

// GiveBuffer clears a buffer and puts it back.
func GiveBuffer(b *[]byte) {
	clear((*b)[:cap(*b)])
	if cap(*b) <= maxKept {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}
