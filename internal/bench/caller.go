package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// callTimeout ends a request that nobody answers.
const callTimeout = 20 * time.Second

// A request is one HTTP request, to be sent many times.
type request struct {
	method, target, token string
	body                  []byte
}

// A caller sends one request after another over one connection of its own, with as little as
// possible on its side: it shares the machine with the servers that are measured. It speaks
// HTTP/1.1, the only version that the API offers.
type caller struct {
	to   address
	conn *tls.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dial(ctx context.Context, to address) (*caller, error) {
	config := to.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(to.host)
	config.NextProtos = []string{"http/1.1"}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", to.dial)
	if err != nil {
		return nil, err
	}
	return &caller{to: to, conn: conn.(*tls.Conn), in: bufio.NewReader(conn)}, nil
}

func (c *caller) call(r request) ([]byte, error) {
	c.out = fmt.Appendf(c.out[:0],
		"%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUser-Agent: bench\r\nAccept: application/json\r\n",
		r.method, r.target, c.to.host, r.token)
	if len(r.body) > 0 {
		c.out = fmt.Appendf(c.out, "Content-Type: application/json\r\nContent-Length: %d\r\n",
			len(r.body))
	}
	c.out = append(append(c.out, "\r\n"...), r.body...)
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	c.body, err = readInto(c.body[:0], answer)
	return c.body, err
}

func (c *caller) close() { c.conn.Close() }

// readInto appends the body of an answer that says success.
func readInto(dst []byte, answer *http.Response) ([]byte, error) {
	defer answer.Body.Close()
	b := bytes.NewBuffer(dst)
	if _, err := b.ReadFrom(io.LimitReader(answer.Body, 1<<20)); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &refusal{answer.StatusCode, b.String()}
	}
	return b.Bytes(), nil
}

// A refusal is an answer that does not say success.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("answered %d: %s", r.status, r.body) }

// unavailable says whether a client of ours would ask again.
func unavailable(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusServiceUnavailable
}

// askToken asks the login host for an access token (RFC 6749 section 4.4).
func askToken(ctx context.Context, client *http.Client, url string, form url.Values) (string,
	error) {
	q, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(q)
	if err != nil {
		return "", err
	}
	body, err := readInto(nil, answer)
	if err != nil {
		return "", err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &token); err != nil {
		return "", err
	}
	return token.Access, nil
}
