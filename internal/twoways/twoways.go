// Package twoways has requests that two parsers could read in two ways, for tests of a connection
// and of the whole API.
package twoways

import "strings"

const framedHead = "POST /v1/sys/unseal HTTP/1.1\r\nHost: h\r\n"

// Requests are such that another parser could take them for something else than net/http does.
var Requests = map[string]string{
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

// OneWay are requests that everybody reads alike.
var OneWay = map[string]string{
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
