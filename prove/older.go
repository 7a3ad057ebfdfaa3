package prove

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Prefix is what the names of all that the run makes begin with.
func (r *Run) Prefix() string { return "prove-" + r.name + "-" }

var (
	applicationOfRun = regexp.MustCompile(`^prove-([0-9a-f]{8})-(worker|access-\d+|name-\d+[a-zA-Z]{24})$`)
	objectOfRun      = regexp.MustCompile(`^prove-([0-9a-f]{8})-(secret|key|access)-\d+$`)
)

// CleanUpOlder removes what other runs have made and never cleaned up: their applications, and
// their secrets and keys in this run's vault. It returns how many runs that were. A run is left
// alone as long as the newest of its applications is not from before the given moment: it may be at
// work.
func (r *Run) CleanUpOlder(ctx context.Context, before time.Time) (runs int, err error) {
	older, err := r.older(ctx, before)
	if err != nil || len(older) == 0 {
		return 0, err
	}
	for _, c := range []*collection{secrets(r), keys(r)} {
		if err := r.cleanUpObjects(ctx, c, older); err != nil {
			return 0, fmt.Errorf("prove: %w", err)
		}
	}
	for _, apps := range older { // last: who finds none left looks for nothing else
		for _, app := range apps {
			if err := r.remove(ctx,
				operatorCall(http.MethodDelete, "/v1/keyquorum/apps/"+app, "")); err != nil {
				return 0, fmt.Errorf("prove: %w", err)
			}
		}
	}
	return len(older), nil
}

// older are the applications of other runs that have made none since, by run.
func (r *Run) older(ctx context.Context, before time.Time) (map[string][]string, error) {
	var all struct {
		Apps []struct {
			Name    string    `json:"name"`
			Created time.Time `json:"created"`
		} `json:"apps"`
	}
	if err := r.insist(ctx, operatorCall(http.MethodGet, "/v1/keyquorum/apps", ""), &all); err != nil {
		return nil, fmt.Errorf("prove: %w", err)
	}
	older, young := map[string][]string{}, map[string]bool{r.name: true}
	for _, app := range all.Apps {
		if run := applicationOfRun.FindStringSubmatch(app.Name); run != nil {
			older[run[1]] = append(older[run[1]], app.Name)
			young[run[1]] = young[run[1]] || !app.Created.Before(before)
		}
	}
	for run := range young {
		if young[run] {
			delete(older, run)
		}
	}
	return older, nil
}

// cleanUpObjects removes the secrets or the keys of runs, the live and the deleted.
func (r *Run) cleanUpObjects(ctx context.Context, c *collection, runs map[string][]string) error {
	for _, list := range []string{"/" + c.path, "/deleted" + c.path} {
		names, err := r.names(ctx, c, list)
		if err != nil {
			return err
		}
		for _, name := range names {
			run := objectOfRun.FindStringSubmatch(name)
			if run == nil || runs[run[1]] == nil {
				continue
			}
			if err := r.remove(ctx, c.cleanUp(&object{name: name})...); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are those on all pages of a list.
func (r *Run) names(ctx context.Context, c *collection, list string) (names []string, err error) {
	for next := c.asWorker(http.MethodGet, list, ""); ; {
		var p page
		if err := r.insist(ctx, next, &p); err != nil {
			return nil, err
		}
		for _, item := range p.Value {
			name, err := c.nameOf(item)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		if p.Next == "" {
			return names, nil
		}
		next.url = p.Next
	}
}

// remove removes what may be missing already.
func (r *Run) remove(ctx context.Context, calls ...call) error {
	for _, c := range calls {
		if err := r.insist(ctx, c, nil, http.StatusNotFound); err != nil {
			return err
		}
	}
	return nil
}
