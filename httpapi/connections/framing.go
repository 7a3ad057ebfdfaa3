package connections

import (
	"bytes"
	"errors"
	"strconv"
)

// A framing follows the bytes of a connection's requests and refuses what two parsers could read
// in two ways (RFC 9112 sections 2.2, 5.2, 6 and 11.2): lines that end in a bare LF or hold a bare
// CR, folded headers, names that are none, targets that are not a path, a Content-Length beside
// another one or beside Transfer-Encoding, other codings than chunked, chunk extensions and
// trailers. net/http takes or mends some of these; what stands in front of a node may have read
// them otherwise. Everything else is net/http's to judge.
//
// The zero value stands before a connection's first request.
type framing struct {
	state  framingState
	left   int64  // bytes of a body or chunk that are still to come
	line   []byte // the part that is being read, as far as it is looked at
	framed bool   // line is a header that frames the body, to be kept with its value
	head   framingHead
}

// framingHead is what a head has said of its body.
type framingHead struct {
	old     bool  // HTTP/1.0
	lengths int   // how many Content-Length
	length  int64 // of the last one
	codings int   // how many Transfer-Encoding
}

type framingState uint8

const (
	atMethod framingState = iota
	atTarget
	inTarget
	inVersion
	atHeader // at the beginning of a line
	inName
	inValue
	afterLine // the LF of a head's line
	afterHead // the LF of the empty line
	inBody
	inChunkSize
	afterChunkSize
	inChunk
	afterChunk     // CR
	afterChunkLine // LF
	afterLastChunk // CR: a trailer is refused
	afterLast      // LF
)

var errAmbiguous = errors.New("httpapi: a request that can be read in two ways")

// maxFramed is more than any part of a line that is looked at: a method, a version, a header's
// name, the value of one that frames the body, the size of a chunk.
const maxFramed = 256

// take follows what comes next. After an error the connection is of no use.
func (f *framing) take(p []byte) error {
	for len(p) > 0 {
		switch f.state {
		case inBody, inChunk:
			n := int(min(f.left, int64(len(p))))
			p = p[n:]
			if f.left -= int64(n); f.left == 0 {
				f.endData()
			}
		case inValue:
			n := bytes.IndexByte(p, '\r')
			if n < 0 {
				n = len(p)
			}
			if bytes.IndexByte(p[:n], '\n') >= 0 || !f.keepValue(p[:n]) {
				return errAmbiguous
			}
			if p = p[n:]; len(p) > 0 {
				p = p[1:]
				f.state = afterLine
			}
		default:
			if !f.step(p[0]) {
				return errAmbiguous
			}
			p = p[1:]
		}
	}
	return nil
}

func (f *framing) endData() {
	if f.state == inBody {
		f.turn(atMethod)
	} else {
		f.turn(afterChunk)
	}
}

// step takes one byte of a head or of what stands between chunks.
func (f *framing) step(b byte) bool {
	switch f.state {
	case atMethod:
		if b == ' ' && len(f.line) > 0 {
			return f.turn(atTarget)
		}
		return isToken(b) && f.keep(b)
	case atTarget:
		f.state = inTarget
		return b == '/' || b == '*'
	case inTarget:
		if b == ' ' {
			return f.turn(inVersion)
		}
		return b > ' ' && b != 0x7f
	case inVersion:
		if b != '\r' {
			return b > ' ' && len(f.line) < len("HTTP/1.1") && f.keep(b)
		}
		f.head = framingHead{old: string(f.line) == "HTTP/1.0"}
		return (f.head.old || string(f.line) == "HTTP/1.1") && f.turn(afterLine)
	case atHeader:
		if b == '\r' {
			return f.turn(afterHead)
		}
		f.state = inName
		return isToken(b) && f.keep(lower(b))
	case inName:
		if b == ':' {
			f.state = inValue
			f.framed = string(f.line) == framedLength || string(f.line) == framedCoding
			return f.keep(b)
		}
		return isToken(b) && f.keep(lower(b))
	case afterLine:
		return b == '\n' && f.endHeader() && f.turn(atHeader)
	case afterHead:
		return b == '\n' && f.begin()
	case inChunkSize:
		if b == '\r' {
			f.state = afterChunkSize
			return len(f.line) > 0
		}
		return isHex(b) && f.keep(b)
	case afterChunkSize:
		return b == '\n' && f.beginChunk()
	case afterChunk:
		return b == '\r' && f.turn(afterChunkLine)
	case afterChunkLine:
		return b == '\n' && f.turn(inChunkSize)
	case afterLastChunk:
		return b == '\r' && f.turn(afterLast)
	case afterLast:
		return b == '\n' && f.turn(atMethod)
	}
	return false
}

func (f *framing) turn(to framingState) bool {
	f.state, f.line = to, f.line[:0]
	return true
}

func (f *framing) keep(b byte) bool {
	f.line = append(f.line, b)
	return len(f.line) <= maxFramed
}

// The two headers that say how long a body is, in lower case.
const (
	framedLength = "content-length"
	framedCoding = "transfer-encoding"
)

// keepValue keeps the value of a header that frames the body, and no other's: they hold tokens.
func (f *framing) keepValue(p []byte) bool {
	if f.framed {
		f.line = append(f.line, p...)
	}
	return len(f.line) <= maxFramed
}

// endHeader notes a header that frames the body.
func (f *framing) endHeader() bool {
	if !f.framed {
		return true
	}
	f.framed = false
	name, value, _ := bytes.Cut(f.line, []byte(":"))
	value = bytes.Trim(value, " \t")
	if string(name) == framedCoding {
		f.head.codings++
		return bytes.EqualFold(value, []byte("chunked"))
	}
	f.head.lengths++
	if len(value) == 0 || value[0] < '0' || value[0] > '9' { // ParseInt takes signs
		return false
	}
	var err error
	f.head.length, err = strconv.ParseInt(string(value), 10, 64)
	return err == nil
}

// begin looks at a head that is complete.
func (f *framing) begin() bool {
	h := f.head
	switch {
	case h.lengths+h.codings > 1 || h.codings > 0 && h.old:
		return false
	case h.codings > 0:
		return f.turn(inChunkSize)
	case h.length > 0:
		f.left = h.length
		return f.turn(inBody)
	}
	return f.turn(atMethod)
}

func (f *framing) beginChunk() bool {
	size, err := strconv.ParseInt(string(f.line), 16, 64)
	if err != nil {
		return false
	}
	if size == 0 {
		return f.turn(afterLastChunk)
	}
	f.left = size
	return f.turn(inChunk)
}

// isToken: RFC 9110 section 5.6.2.
func isToken(b byte) bool { return token[b] }

var token = func() (t [256]bool) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		t[b] = true
	}
	for b := 'A'; b <= 'Z'; b++ {
		t[b] = true
	}
	return t
}()

func isHex(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f' }

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b | 0x20
	}
	return b
}
