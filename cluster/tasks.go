package cluster

import "sync"

// tasks are the goroutines of a member. Its end waits for all, and no more begin then: one may be
// begun by any other, and by what comes in.
type tasks struct {
	mu    sync.Mutex
	ended bool
	wg    sync.WaitGroup
}

// begin runs f, which ends with the member at the latest. false: the member has ended already.
func (t *tasks) begin(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.wg.Go(f)
	return true
}

// end waits for all.
func (t *tasks) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.wg.Wait()
}
