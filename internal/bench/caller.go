package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
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

// A caller sends one request after another and reads the answers' bodies.
type caller interface {
	call(request) (body []byte, err error)
	close()
}

// A lineCaller speaks HTTP/1.1 over one connection, with as little as possible on its side: the client shares the machine
// with the servers that are measured.
type lineCaller struct {
	to   address
	conn *tls.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dialLine(ctx context.Context, to address) (*lineCaller, error) {
	config := to.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(to.host)
	config.NextProtos = []string{"http/1.1"}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", to.dial)
	if err != nil {
		return nil, err
	}
	return &lineCaller{to: to, conn: conn.(*tls.Conn), in: bufio.NewReader(conn)}, nil
}

func (l *lineCaller) call(r request) ([]byte, error) {
	l.out = fmt.Appendf(l.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUser-Agent: bench\r\nAccept: application/json\r\n",
		r.method, r.target, l.to.host, r.token)
	if len(r.body) > 0 {
		l.out = fmt.Appendf(l.out, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(r.body))
	}
	l.out = append(append(l.out, "\r\n"...), r.body...)
	if err := l.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	if _, err := l.conn.Write(l.out); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return nil, err
	}
	l.body, err = readInto(l.body[:0], answer)
	return l.body, err
}

func (l *lineCaller) close() { l.conn.Close() }

// A sharedCaller speaks HTTP/2 as programs do that use Azure's SDK: all callers share one client, and it one connection.
type sharedCaller struct {
	client *http.Client
	to     address
}

func dialShared(to address) *sharedCaller {
	transport := &http.Transport{
		TLSClientConfig: to.tls.Clone(), ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to.dial)
		},
	}
	return &sharedCaller{client: &http.Client{Transport: transport, Timeout: callTimeout}, to: to}
}

func (s *sharedCaller) call(r request) ([]byte, error) {
	q, err := http.NewRequest(r.method, "https://"+s.to.host+r.target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	answer, err := s.client.Do(q)
	if err != nil {
		return nil, err
	}
	return readInto(nil, answer)
}

func (s *sharedCaller) close() { s.client.CloseIdleConnections() }

// readInto appends the body of an answer that says success.
func readInto(dst []byte, answer *http.Response) ([]byte, error) {
	defer answer.Body.Close()
	b := bytes.NewBuffer(dst)
	if _, err := b.ReadFrom(io.LimitReader(answer.Body, 1<<20)); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s: %s", answer.Status, b.Bytes())
	}
	return b.Bytes(), nil
}

// askToken asks the login host for an access token (RFC 6749 section 4.4).
func askToken(ctx context.Context, client *http.Client, url string, form url.Values) (string, error) {
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
