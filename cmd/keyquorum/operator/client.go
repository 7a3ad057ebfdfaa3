package operator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/internal/address"
	"keyquorum/internal/ownsocket"
)

const (
	callTimeout   = 60 * time.Second // longer than any call takes inside a node (30 s)
	maxAnswer     = 8 << 20          // bytes of an answer that are read
	defaultServer = "https://127.0.0.1:8200"
)

// A Client calls the operator plane of one node: JSON over HTTPS, or over its break-glass socket.
type Client struct {
	Base  string // https://host:port
	Token string // sent as X-Vault-Token when not empty
	HTTP  *http.Client

	socket string // its path; "": none
}

// An Refusal is an answer that refuses.
type Refusal struct {
	Status   int
	Messages []string
}

func (e *Refusal) Error() string {
	if len(e.Messages) == 0 {
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s (%d)", strings.Join(e.Messages, "; "), e.Status)
}

// NewClient trusts caPEM, or the system's roots when it is empty. A socket is unix://PATH, as
// clients of Vault and OpenBao have it, and sees no token.
func NewClient(base, token string, caPEM []byte) (*Client, error) {
	if path, isSocket := strings.CutPrefix(base, "unix://"); isSocket {
		return socketClient(path), nil
	}
	if err := address.URL(base); err != nil {
		return nil, fmt.Errorf("the address of the node: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(caPEM) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(caPEM) {
			return nil, errors.New("the CA file holds no PEM certificate")
		}
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	return &Client{
		Base:  strings.TrimRight(base, "/"),
		Token: token,
		HTTP:  &http.Client{Transport: transport, Timeout: callTimeout},
	}, nil
}

func socketClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return ownsocket.Dial(ctx, path)
	}
	return &Client{
		Base:   "http://localhost",
		HTTP:   &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: callTimeout},
		socket: path,
	}
}

// at is the node's address for people.
func (c *Client) at() string {
	if c.socket != "" {
		return "unix://" + c.socket
	}
	return c.Base
}

// Connection is what the commands that talk to a node share: --address and --ca-cert, else the
// environment.
type Connection struct{ address, caCert string }

func ConnectionFlags(c *cobra.Command) *Connection {
	var k Connection
	c.PersistentFlags().StringVar(&k.address, "address", "",
		"`URL` of the node to talk to (else KEYQUORUM_ADDR, BAO_ADDR or VAULT_ADDR, else "+
			defaultServer+")")
	c.PersistentFlags().StringVar(&k.caCert, "ca-cert", "",
		"PEM file to trust (else KEYQUORUM_CACERT, BAO_CACERT or VAULT_CACERT, else the system's roots)")
	console.Environment(c, "KEYQUORUM_TOKEN",
		"the operators' token (else BAO_TOKEN, VAULT_TOKEN); no flag takes it")
	return &k
}

// Client reads the environment at the moment of the call.
func (k *Connection) Client() (*Client, error) { return k.ClientElse("") }

// ClientElse is a client of the node that was named, else of the one at an address, else ("") of
// the usual one.
func (k *Connection) ClientElse(address string) (*Client, error) {
	return k.ClientOf(cmp.Or(k.address, fromEnvironment("ADDR"), address, defaultServer))
}

// ClientOf is a client of another node of the same cluster. The token comes from the environment
// and from nowhere else, since command lines are seen by every user of a machine.
func (k *Connection) ClientOf(address string) (*Client, error) {
	ca, err := k.trusted()
	if err != nil {
		return nil, err
	}
	return NewClient(address, fromEnvironment("TOKEN"), ca)
}

// Member is a client of a node at the address that the node says of itself. It has the token only
// where a CA is named: else whoever says an address with a public certificate would be shown it.
func (k *Connection) Member(address string) (*Client, error) {
	c, err := k.ClientOf(address)
	if err == nil && cmp.Or(k.caCert, fromEnvironment("CACERT")) == "" {
		c.Token = ""
	}
	return c, err
}

// trusted is what the CA file holds, nothing where none is named.
func (k *Connection) trusted() ([]byte, error) {
	file := cmp.Or(k.caCert, fromEnvironment("CACERT"))
	if file == "" {
		return nil, nil
	}
	ca, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w; say with --ca-cert (KEYQUORUM_CACERT) where it is", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("the CA file %s holds no PEM certificate", file)
	}
	return ca, nil
}

// fromEnvironment looks a setting up under our prefix, then OpenBao's, then Vault's.
func fromEnvironment(name string) string {
	return cmp.Or(os.Getenv("KEYQUORUM_"+name), os.Getenv("BAO_"+name), os.Getenv("VAULT_"+name))
}

// Call sends in (nil: no body) and decodes the answer into out (nil: not wanted). Everything that
// goes wrong on the way or at the server has exit code 2.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	status, body, err := c.send(ctx, method, path, in)
	if err != nil {
		return console.Exit(2, c.unreached(err))
	}
	if status >= 300 {
		return console.Exit(2, c.explained(refusal(status, body)))
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return console.Exit(2, fmt.Errorf("the answer to %s %s is not what this version understands: %w",
			method, path, err))
	}
	return nil
}

// explained adds what whoever typed the command can do.
func (c *Client) explained(refused *Refusal) error {
	switch text := refused.Error(); {
	case c.socket != "" && strings.HasPrefix(text, "Vault is sealed"):
		return fmt.Errorf("the node at %s is sealed: give it its unseal shares first, at its API "+
			"address (keyquorum operator unseal): %w", c.at(), refused)
	case c.socket != "":
	case refused.Status == http.StatusForbidden && c.Token == "":
		return fmt.Errorf("%w; set KEYQUORUM_TOKEN", refused)
	case refused.Status == http.StatusForbidden && strings.Contains(text, "invalid token"):
		return fmt.Errorf("%w; look at KEYQUORUM_TOKEN. If no token is left, keyquorum operator "+
			"generate-root makes one of the unseal shares", refused)
	case strings.HasPrefix(text, "Vault is already initialized"):
		return fmt.Errorf("the node at %s is a member of a cluster already, and needs its unseal shares "+
			"alone (keyquorum operator unseal): %w", c.at(), refused)
	case strings.HasPrefix(text, "Vault is sealed"): // the words are for other people's clients
		return fmt.Errorf("the node at %s is sealed: give it its unseal shares "+
			"(keyquorum operator unseal): %w", c.at(), refused)
	}
	if next := adviceOn(refused.Error()); next != "" {
		return fmt.Errorf("%w; %s", refused, next)
	}
	return refused
}

// unreached says what to look at when a node did not answer.
func (c *Client) unreached(err error) error {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var lookup *net.DNSError
	var ended x509.CertificateInvalidError
	var advice string
	switch {
	case c.socket != "":
		return fmt.Errorf("%s cannot be used: %w", c.at(), cause(err))
	case errors.As(err, &authority):
		advice = "say with --ca-cert (KEYQUORUM_CACERT) which authority signed the node's certificate"
	case errors.As(err, &ended):
		advice = "renew the node's certificate, whose file it reads again by itself; if it is good, this " +
			"machine's clock is wrong"
	case errors.As(err, &name):
		advice = "name the node with --address (KEYQUORUM_ADDR) as its certificate does"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.ENETUNREACH), errors.As(err, &lookup), os.IsTimeout(err):
		advice = "is a node running there? Say with --address (KEYQUORUM_ADDR) where one is"
	case errors.Is(err, context.Canceled):
		return err
	default:
		advice = "the node's log, and keyquorum doctor, may say why"
	}
	return fmt.Errorf("%s cannot be reached: %w; %s", c.Base, cause(err), advice)
}

// cause leaves out the request, which nobody has typed.
func cause(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// send waits for an answer, and tells so whoever sits there.
func (c *Client) send(ctx context.Context, method, path string, in any) (int, []byte, error) {
	defer c.telling(ctx)()
	return c.exchange(ctx, method, path, in)
}

func (c *Client) exchange(ctx context.Context, method, path string, in any) (int, []byte, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Vault-Request", "true")
	if c.Token != "" {
		req.Header.Set("X-Vault-Token", c.Token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, b, err
}

// refusal reads {"errors":[…]}, the error body of the operator plane.
func refusal(status int, body []byte) *Refusal {
	var e struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &e) != nil {
		e.Errors = nil
	}
	return &Refusal{Status: status, Messages: e.Errors}
}
