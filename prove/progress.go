package prove

import "maps"

// Tally is what has happened so far, at any time: a verdict that has judged nothing.
func (r *Run) Tally() *Verdict {
	v := &Verdict{Seed: r.options.Seed}
	r.mu.Lock()
	v.Failures = maps.Clone(r.failures)
	r.mu.Unlock()
	for _, o := range r.objects {
		o.mu.Lock()
		if len(o.operations) > 0 {
			v.count(o.operations)
		}
		o.mu.Unlock()
	}
	return v
}

// Stop lets Work end early: what was asked is still answered, and nothing more is asked. (The end
// of Work's context cuts requests off, and leaves outcomes unknown.) It may be called at any time.
func (r *Run) Stop() { r.left.Store(0) }
