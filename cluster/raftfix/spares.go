package raftfix

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// spares are connections to the Raft of other voters that nobody uses yet. An election begins with
// a message to each of them, and so does the new leader's term; a connection takes two round trips
// to open, and those that Raft has kept since it last stood may have lost their other end long ago.
// With a spare one the message leaves at once.
type spares struct {
	wanted chan struct{} // one was taken

	mu      sync.Mutex
	byID    map[string][]*spare
	opening map[string]int
}

func newSpares() spares {
	return spares{
		wanted: make(chan struct{}, 1), byID: map[string][]*spare{}, opening: map[string]int{},
	}
}

// sparesEach are kept for a voter: one for its vote and the first entries, one for the news that
// they are committed.
const sparesEach = 2

// A spare is watched: its other end says nothing before it is asked, so whatever comes is the end.
type spare struct {
	conn  net.Conn
	ended chan struct{} // closed when the watch has ended
	alive bool          // after that: the connection can be used
}

// keepSpares ends with the member.
func (t *Transport) keepSpares() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-t.spares.wanted:
		case <-t.ctx.Done():
			t.spares.keep(nil)
			return
		}
		voters := t.voters()
		if !slices.Contains(voters, t.config.ID) {
			voters = nil // it never stands
		}
		t.spares.keep(voters)
		for _, voter := range voters {
			if voter != t.config.ID && t.spares.begin(voter) {
				t.config.Go(func() { t.openSpare(voter) })
			}
		}
	}
}

// servers are those of Raft's latest configuration, committed or not.
func (t *Transport) servers() []raft.Server {
	future := t.Raft().GetConfiguration() // answered from memory
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

func (t *Transport) voters() (ids []string) {
	for _, s := range t.servers() {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// openSpare opens one, and ends with it.
func (t *Transport) openSpare(nodeID string) {
	conn, err := t.config.Dial(t.ctx, nodeID)
	if err != nil {
		t.spares.add(nodeID, nil)
		return
	}
	s := &spare{conn: conn, ended: make(chan struct{})}
	t.spares.add(nodeID, s)
	if t.ctx.Err() != nil { // keepSpares may have ended before it was there
		conn.Close()
	}
	s.watch()
	t.spares.drop(nodeID, s)
}

func (s *spare) watch() {
	defer close(s.ended)
	_, err := s.conn.Read(make([]byte, 1))
	s.alive = errors.Is(err, os.ErrDeadlineExceeded) // take has ended the watch, not the other end
	if !s.alive {
		s.conn.Close()
	}
}

// take returns a connection that was alive a moment ago, or nil.
func (s *spares) take(nodeID string) net.Conn {
	for {
		taken := s.pop(nodeID)
		if taken == nil {
			return nil
		}
		select {
		case s.wanted <- struct{}{}:
		default:
		}
		_ = taken.conn.SetReadDeadline(time.Unix(1, 0))
		<-taken.ended
		if taken.alive && taken.conn.SetReadDeadline(time.Time{}) == nil {
			return taken.conn
		}
	}
}

func (s *spares) pop(nodeID string) *spare {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.byID[nodeID]
	if len(list) == 0 {
		return nil
	}
	s.byID[nodeID] = list[1:]
	return list[0]
}

// begin says whether another spare is to be opened, which add must follow.
func (s *spares) begin(nodeID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID[nodeID])+s.opening[nodeID] >= sparesEach {
		return false
	}
	s.opening[nodeID]++
	return true
}

// add takes nil for one that could not be opened.
func (s *spares) add(nodeID string, opened *spare) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening[nodeID]--
	if opened != nil {
		s.byID[nodeID] = append(s.byID[nodeID], opened)
	}
}

func (s *spares) drop(nodeID string, dead *spare) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[nodeID] = slices.DeleteFunc(s.byID[nodeID],
		func(other *spare) bool { return other == dead })
}

// keep closes those of nodes that are no voters any more.
func (s *spares) keep(voters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, list := range s.byID {
		if slices.Contains(voters, id) {
			continue
		}
		for _, other := range list {
			other.conn.Close()
		}
		delete(s.byID, id)
	}
}
