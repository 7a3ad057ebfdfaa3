package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"sync"
	"testing"

	"keyquorum/testcluster"
)

// These run nodes in this process, for -cpuprofile and -memprofile: the product has no port for
// profiles. What the clients spend is labelled, to be left out:
//
//	go test ./internal/bench -run '^$' -bench 'Nodes/read/one' -cpuprofile cpu.out
//	go tool pprof -tagignore side=client -top cpu.out
func BenchmarkNodes(b *testing.B) {
	err := inHarness(b.Context(), func(h *harness) {
		one := newBed(h, testcluster.Loopback(h, 1, nil))
		three := newBed(h, testcluster.Loopback(h, 3, nil))
		one.prepare(h)
		three.prepare(h)
		keys := one.prepareKeys(h)
		leader := three.Leader()
		follower := (leader + 1) % 3
		ceiling := inside(h, one)
		for _, p := range []struct {
			name    string
			to      address
			request func(int) request
		}{
			{"read/ceiling", ceiling, likewise(h, one.at(h, 0), one.read)},
			{"read/one", one.at(h, 0), one.read},
			{"read/leader", three.at(h, leader), three.read},
			{"read/follower", three.at(h, follower), three.read},
			{"sign/es256", one.at(h, 0), keys.sign("p256", "ES256", 32)},
			{"sign/rs4096", one.at(h, 0), keys.sign("rsa4096", "RS256", 32)},
			{"encrypt/gcm", one.at(h, 0), keys.encrypt("oct", "A256GCM", 1024)},
			{"write/one", one.at(h, 0), one.write},
			{"write/follower", three.at(h, follower), three.write},
		} {
			b.Run(p.name, func(b *testing.B) { profile(b, p.to, p.request) })
		}
	})
	if err != nil {
		b.Fatal(err)
	}
}

// inside is the ceiling in this process.
func inside(h *harness, b *bed) address {
	server := httptest.NewUnstartedServer(http.HandlerFunc(answerBytes))
	server.StartTLS()
	h.Cleanup(server.Close)
	trust := b.trust(h)
	trust.RootCAs.AddCert(server.Certificate())
	return address{dial: server.Listener.Addr().String(), host: "example.com", tls: trust}
}

// profile sends b.N requests from 16 clients.
func profile(b *testing.B, to address, of func(int) request) {
	const clients = 16
	pprof.Do(b.Context(), pprof.Labels("side", "client"), func(ctx context.Context) {
		turns := make(chan struct{}, clients)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				line, err := dial(ctx, to)
				if err != nil {
					b.Error(err)
				} else {
					defer line.close()
				}
				for range turns {
					if err == nil {
						if _, err = line.call(of(i)); err != nil {
							b.Error(err)
						}
					}
				}
			})
		}
		for b.Loop() {
			turns <- struct{}{}
		}
		close(turns)
		wg.Wait()
	})
}
