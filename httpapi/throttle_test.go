package httpapi_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/httpapi"
)

// seldom lets three requests through, and one more a quarter of an hour later.
var seldom = httpapi.Throttle{Rate: 0.001, Burst: 3}

// throttled is a node of its own with an application that has used up what it may send.
func throttled(t *testing.T) (*service, *client) {
	t.Helper()
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s = s.behind(t, httpapi.Config{Throttle: seldom,
		OpenMetrics: true}) // to check an operator's token is a read
	c := s.application(t, "busy", everything)
	for range 3 {
		c.ok("PUT", "/secrets/s", `{"value":"v"}`)
	}
	return s, c
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	s, c := throttled(t)
	a := c.call("GET", "/secrets/s", "")
	message, _ := a.at("error", "message").(string)
	if a.status != 429 || a.at("error", "code") != "Throttled" ||
		a.header.Get("Retry-After") != "1000" || a.header.Get("X-Ms-Request-Id") == "" ||
		!strings.HasPrefix(message,
			"Request was not processed because too many requests were received. Reason: ") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := c.call("PUT", "/secrets/s", `{"value"`); a.status != 429 {
		t.Errorf("a body that is no JSON was read: %d", a.status)
	}
	other := s.application(t, "patient", everything)
	other.ok("GET", "/secrets", "")
	elsewhere := *c
	elsewhere.host = other.host
	if a := elsewhere.call("GET", "/secrets", ""); a.status != 403 {
		t.Errorf("in another vault it has a bucket of its own: %d", a.status)
	}
	stranger := *c
	stranger.token = ""
	if a := stranger.call("GET", "/secrets/s", ""); a.status != 401 {
		t.Errorf("without a token: %d", a.status)
	}
}

// The bound changes while a node serves. The same bound leaves the buckets as they are.
func TestThrottleChangesAtRunTime(t *testing.T) {
	s, c := throttled(t)
	for _, row := range []struct {
		bound  httpapi.Throttle
		status int
	}{
		{seldom, 429}, {httpapi.Throttle{}, 200}, {httpapi.Throttle{Rate: 0.001, Burst: 1}, 200},
		{httpapi.Throttle{Rate: 0.001, Burst: 1}, 429}, {seldom, 200},
	} {
		s.h.SetThrottle(row.bound)
		if a := c.call("GET", "/secrets/s", ""); a.status != row.status {
			t.Errorf("with %+v: %d, want %d", row.bound, a.status, row.status)
		}
	}
}

// Names of vaults cost nothing: those that do not exist have one bucket together.
func TestInventedVaultsShareABucket(t *testing.T) {
	_, c := throttled(t)
	invented := *c
	var statuses []int
	for i := range 5 {
		invented.host = fmt.Sprintf("invented-%d.vault.localhost:8200", i)
		statuses = append(statuses, invented.call("GET", "/secrets", "").status)
	}
	if got := fmt.Sprint(statuses); got != "[404 404 404 429 429]" {
		t.Errorf("%s", got)
	}
}

// A refusal costs no lease, fence or key, and an application that runs wild does not fill the disk.
func TestThrottledRequestsAreCheap(t *testing.T) {
	const flood = 2000
	s, c := throttled(t)
	s.usage.take()
	before, _ := s.scrape(t)
	for range flood {
		if a := c.call("POST", "/keys/k/sign", `{"alg":"ES256","value":"AAAA"}`); a.status != 429 {
			t.Fatal(a.status)
		}
	}
	after, _ := s.scrape(t)
	lines := s.usage.take()
	for name, want := range map[string]float64{
		"keyquorum_http_requests_throttled_total":                                                flood,
		`keyquorum_http_requests_total{operation="keys/sign",status="4xx"}`:                      flood,
		`keyquorum_crypto_operations_total{algorithm="ES256",operation="sign",result="refused"}`: 0,
		`keyquorum_reads_total{by="lease"}`:                                                      0,
		`keyquorum_reads_total{by="fence"}`:                                                      0,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
	if len(lines) == 0 || len(lines) > flood/2 || lines[0]["code"] != "Throttled" ||
		lines[0]["status"] != 429.0 || lines[0]["oid"] == nil {
		t.Errorf("%d usage records, the first is %v", len(lines), lines[0])
	}
	if got := after["keyquorum_refusals_unrecorded_total"] - before["keyquorum_refusals_unrecorded_total"]; got < flood/2 {
		t.Errorf("%v refusals count as unrecorded", got)
	}
}

func TestNobodyIsThrottledUnlessToldTo(t *testing.T) {
	c := unsealed(t).application(t, "free", everything)
	for range 300 {
		c.ok("GET", "/secrets", "")
	}
}

// The SDK waits as long as it is told and comes again: the application sees a slow answer, not an
// error.
func TestSDKOutlivesThrottling(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s = s.behind(t, httpapi.Config{Throttle: httpapi.Throttle{Rate: 1, Burst: 2}})
	c := s.application(t, "sdk", everything)
	server := httptest.NewTLSServer(s.h)
	t.Cleanup(server.Close)
	pause := &counting{to: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // httptest's certificate has other names
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	t.Cleanup(pause.to.CloseIdleConnections)
	options := azcore.ClientOptions{Transport: &http.Client{Transport: pause},
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: "https://" + loginHost}}
	credential, err := azidentity.NewClientSecretCredential("adfs", c.id, c.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := azsecrets.NewClient("https://"+c.host, credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if _, err := secrets.SetSecret(t.Context(), fmt.Sprint("s", i),
			azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if pause.throttled.Load() == 0 {
		t.Error("four requests at once met no bound of two")
	}
}

// A counting transport notes what was throttled.
type counting struct {
	to        *http.Transport
	throttled atomic.Int32
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := c.to.RoundTrip(r)
	if err == nil && a.StatusCode == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "1" {
		c.throttled.Add(1)
	}
	return a, err
}
