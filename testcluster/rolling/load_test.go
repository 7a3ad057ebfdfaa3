package rolling_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// A load is applications at work: each sets a secret, reads it, signs and verifies, in turn, with
// Microsoft's clients as they are but for the transport, which reaches our nodes and nothing else.
type load struct {
	t      *testing.T
	c      *testcluster.Cluster
	app    testcluster.App
	key    string // version
	cancel context.CancelFunc
	wg     sync.WaitGroup

	requests, sent, errors atomic.Int64

	mu      sync.Mutex
	written map[string]string // acknowledged
	last    time.Time         // of an acknowledged write
	gap     time.Duration     // the longest between two
	longest time.Duration     // that a request took, retries and all
}

const applications = 20

// startLoad begins so many requests a second.
func startLoad(t *testing.T, c *testcluster.Cluster, b *balancer, rate int) *load {
	t.Helper()
	c.NewVault("demo")
	l := &load{t: t, c: c, app: c.NewApp("load"), written: map[string]string{}, last: time.Now()}
	c.Grant(0, "demo", "load", []string{"all"}, []string{"all"})
	key, err := l.application(b.client()).keys.CreateKey(t.Context(), "signing",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)
	must(t, err)
	l.key = key.Key.KID.Version()
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	t.Cleanup(func() { cancel(); l.wg.Wait() })
	period := time.Second * applications * roundRequests / time.Duration(rate)
	for i := range applications {
		a := l.application(b.client())
		l.wg.Go(func() {
			l.work(ctx, a, fmt.Sprintf("app%d", i), period*time.Duration(i)/applications, period)
		})
	}
	return l
}

type application struct {
	secrets *azsecrets.Client
	keys    *azkeys.Client
}

func (l *load) application(transport policy.Transporter) application {
	l.t.Helper()
	return newApplication(l.t, transport, l.app, l.c.VaultURL("demo"), l.c.LoginURL(),
		[]policy.Policy{counting{&l.sent}})
}

func newApplication(
	t *testing.T, transport policy.Transporter, app testcluster.App, vault, login string,
	watching []policy.Policy,
) application {
	t.Helper()
	options := azcore.ClientOptions{Transport: transport, PerRetryPolicies: watching}
	options.Cloud.ActiveDirectoryAuthorityHost = login
	credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
		&azidentity.ClientSecretCredentialOptions{
			ClientOptions: azcore.ClientOptions{Transport: options.Transport, Cloud: options.Cloud},
		})
	must(t, err)
	secrets, err := azsecrets.NewClient(vault, credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	keys, err := azkeys.NewClient(vault, credential,
		&azkeys.ClientOptions{ClientOptions: options})
	must(t, err)
	return application{secrets, keys}
}

// counting counts each time that something is sent.
type counting struct{ sent *atomic.Int64 }

func (c counting) Do(r *policy.Request) (*http.Response, error) {
	c.sent.Add(1)
	return r.Next()
}

// work ends with ctx. What was begun is brought to its end, so that its outcome is known. Who begins
// later spreads the requests over time.
func (l *load) work(ctx context.Context, a application, name string, later, period time.Duration) {
	pace := time.NewTimer(later)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
			pace.Reset(period)
		case <-ctx.Done():
			return
		}
		l.round(a, fmt.Sprintf("%s-%d", name, i), fmt.Sprint(i))
	}
}

// roundRequests is how many requests a round makes.
const roundRequests = 4

// round sets a secret and reads it, signs and verifies.
func (l *load) round(a application, name, value string) {
	ctx := context.Background()
	if l.request("a write", func() error {
		_, err := a.secrets.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: &value}, nil)
		return err
	}) {
		l.acknowledge(name, value)
	}
	l.request("a read", func() error {
		got, err := a.secrets.GetSecret(ctx, name, "", nil)
		if err == nil && *got.Value != value {
			err = fmt.Errorf("%s reads %q right after %q was acknowledged", name, *got.Value, value)
		}
		return err
	})
	digest, algorithm := sha256.Sum256([]byte(name)), to.Ptr(azkeys.SignatureAlgorithmES256)
	var signature []byte
	l.request("a signature", func() error {
		signed, err := a.keys.Sign(ctx, "signing", l.key,
			azkeys.SignParameters{Algorithm: algorithm, Value: digest[:]}, nil)
		signature = signed.Result
		return err
	})
	l.request("a verification", func() error {
		said, err := a.keys.Verify(ctx, "signing", l.key, azkeys.VerifyParameters{
			Algorithm: algorithm, Digest: digest[:], Signature: signature}, nil)
		if err == nil && !*said.Value {
			err = errors.New("the signature does not hold")
		}
		return err
	})
}

func (l *load) request(what string, ask func() error) (done bool) {
	l.requests.Add(1)
	begun := time.Now()
	err := ask()
	l.mu.Lock()
	l.longest = max(l.longest, time.Since(begun))
	l.mu.Unlock()
	if err != nil && l.errors.Add(1) <= 3 {
		l.t.Errorf("%s failed through the SDK's own retries, after %v: %v", what,
			time.Since(begun).Round(time.Millisecond), err)
	}
	return err == nil
}

func (l *load) acknowledge(name, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[name] = value
	now := time.Now()
	l.gap = max(l.gap, now.Sub(l.last))
	l.last = now
}

// longestGap is that since it was asked for last.
func (l *load) longestGap() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := max(l.gap, time.Since(l.last))
	l.gap = 0
	return gap
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.written)
}

// flow returns when so many writes more were acknowledged.
func (l *load) flow(writes int) {
	l.t.Helper()
	wanted := l.acknowledged() + writes
	await(l.t, fmt.Sprint(writes, " writes more"), func() bool { return l.acknowledged() >= wanted })
}

// stop ends the load, and looks for every acknowledged write, at one node after the other.
func (l *load) stop() {
	l.t.Helper()
	l.cancel()
	l.wg.Wait()
	var readers []*azsecrets.Client
	for i := range l.c.Size() {
		readers = append(readers, l.application(l.c.Client(i)).secrets)
	}
	at := 0
	for name, value := range l.written {
		got, err := readers[at%len(readers)].GetSecret(l.t.Context(), name, "", nil)
		must(l.t, err)
		if *got.Value != value {
			l.t.Errorf("%s reads %q; %q was acknowledged", name, *got.Value, value)
		}
		at++
	}
}

// A balancer sends connections to nodes that say that they are well, as a load balancer does: it
// asks each five times a second.
type balancer struct {
	t    *testing.T
	c    *testcluster.Cluster
	pool *x509.CertPool
	next atomic.Int64
	well []atomic.Bool
	wg   sync.WaitGroup
}

func newBalancer(t *testing.T, c *testcluster.Cluster) *balancer {
	t.Helper()
	pem, err := os.ReadFile(c.CAFile)
	must(t, err)
	b := &balancer{t: t, c: c, pool: x509.NewCertPool(), well: make([]atomic.Bool, c.Size())}
	b.pool.AppendCertsFromPEM(pem)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); b.wg.Wait() })
	for i := range b.well {
		b.well[i].Store(true)
		b.wg.Go(func() { b.probe(ctx, i) })
	}
	return b
}

// probe ends with ctx.
func (b *balancer) probe(ctx context.Context, i int) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: b.pool}, DisableKeepAlives: true,
	}}
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		answer, err := client.Get(b.c.URL(i) + "/v1/sys/health?perfstandbyok=true")
		b.well[i].Store(err == nil && answer.StatusCode == http.StatusOK)
		if err == nil {
			answer.Body.Close()
		}
	}
}

// client is one application's: its connections go where dial says.
func (b *balancer) client() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: b.pool}, ForceAttemptHTTP2: true, DialContext: b.dial,
	}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// dial reaches the next node that is well, whatever is asked for.
func (b *balancer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	first := int(b.next.Add(1))
	for k := range b.well {
		if i := (first + k) % len(b.well); b.well[i].Load() {
			at, err := url.Parse(b.c.URL(i))
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, "tcp", at.Host)
		}
	}
	return nil, errors.New("no node is well")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
