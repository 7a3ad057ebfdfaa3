package calls

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
)

// A Client calls other members.
type Client struct {
	dial func(ctx context.Context, nodeID, protocol string) (net.Conn, error)
	said Said
	http atomic.Pointer[http.Client]
}

// NewClient makes one that dials as a port does.
func NewClient(
	dial func(ctx context.Context, nodeID, protocol string) (net.Conn, error), said Said,
) *Client {
	c := &Client{dial: dial, said: said}
	c.Renew()
	return c
}

// Renew has calls go over new connections from now on. What is under way stays where it is.
func (c *Client) Renew() {
	if old := c.http.Swap(c.newHTTP()); old != nil {
		old.CloseIdleConnections()
	}
}

// Close closes what is idle; the port closes the rest.
func (c *Client) Close() { c.http.Load().CloseIdleConnections() }

func (c *Client) newHTTP() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Client{
		CheckRedirect: stayHere,
		Transport: &http.Transport{
			Protocols:              protocols,
			ForceAttemptHTTP2:      true,
			DialTLSContext:         c.dialNode,
			DialContext:            dialNobody,
			IdleConnTimeout:        time.Minute,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
		},
	}
}

// stayHere takes an answer that names another place for what it is: no answer. Else a peer could
// have this member say to another, under its own certificate, whatever the peer likes.
func stayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// dialNobody stands in the place of the library's way to hosts that speak in the clear.
func dialNobody(context.Context, string, string) (net.Conn, error) {
	return nil, &DialError{errors.New("calls: members don't speak in the clear")}
}

func (c *Client) dialNode(ctx context.Context, _, target string) (net.Conn, error) {
	nodeID, _, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, nodeID, port.Calls)
	if err != nil {
		return nil, &DialError{err}
	}
	return conn, nil
}

// A DialError says that a call never left this node.
type DialError struct{ error }

func (e *DialError) Unwrap() error { return e.error }

// Ask calls a node. An error that is no Word means that nothing is known of what the peer did, but
// for a DialError.
func Ask[Req, Resp any](
	ctx context.Context, c *Client, nodeID, path string, request Req,
) (Resp, error) {
	var response Resp
	body, err := wire.Encode(request)
	if err != nil {
		return response, err
	}
	url := "https://" + nodeID + path
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return response, err
	}
	r.Header.Set(releaseHeader, c.said.Own)
	answer, err := c.http.Load().Do(r)
	if err != nil {
		return response, err
	}
	defer answer.Body.Close()
	c.said.Heard(nodeID, answer.Header.Get(releaseHeader))
	content, err := io.ReadAll(io.LimitReader(answer.Body, MaxBody))
	if err != nil {
		return response, err
	}
	if answer.StatusCode != http.StatusOK {
		return response, Word(bytes.TrimSpace(content))
	}
	return response, wire.Decode(content, &response)
}
