package cluster_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"keyquorum/cluster"
)

// A member that opens as many connections for calls as it can gets no more than its share, and is
// served afterwards.
func TestConnectionsForCallsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.lead(0)
		var conns []net.Conn
		open := 0
		for range 80 {
			conn, err := g.members[1].DialCalls(g.ids[0])
			must(t, err)
			conns = append(conns, conn)
			conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			var timeout net.Error
			for { // the server's preface comes first
				_, err := conn.Read(make([]byte, 1024))
				if err == nil {
					continue
				}
				if errors.As(err, &timeout) && timeout.Timeout() {
					open++
				}
				break
			}
		}
		if open < 16 || open > 32 {
			t.Errorf("a member has %d connections for calls", open)
		}
		for _, conn := range conns {
			conn.Close()
		}
		g.isolate(1)
		time.Sleep(20 * time.Second)
		g.network.Heal()
		must(t, g.put(1, "a", "1"))
	})
}

// Who asks for many surveys at once has the members asked twice, not once for each.
func TestSurveysAreShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.lead(0)
		g.isolate(2) // so that each takes its time
		const many = 20
		surveyed := make(chan cluster.Survey, many)
		var asked sync.WaitGroup
		for range many {
			asked.Go(func() {
				s, err := g.members[0].SurveyBy(t.Context(), g.ids[1])
				if err == nil && len(s.Members) == 3 {
					surveyed <- s
				}
			})
		}
		asked.Wait()
		close(surveyed)
		answered, looks := 0, map[*cluster.Member]bool{}
		for s := range surveyed {
			answered++
			looks[&s.Members[0]] = true
		}
		if answered != many || len(looks) > 3 {
			t.Errorf("%d of %d surveys were answered, by %d looks", answered, many, len(looks))
		}
	})
}
