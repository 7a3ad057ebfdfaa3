package frontdoor

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A fakePath is a path of KV; of version 1 it has one version that is replaced.
type fakePath struct {
	versions []*fakeVersion
	custom   map[string]string
}

type fakeVersion struct {
	data      json.RawMessage
	created   time.Time
	deletion  string
	destroyed bool
}

func (m *fakeMount) kv(w http.ResponseWriter, r *http.Request, rest string) {
	what, path := "", rest
	if m.version == "2" {
		what, path, _ = strings.Cut(rest, "/")
	}
	switch {
	case r.URL.Query().Get("list") == "true" && (what == "metadata" || m.version == "1"):
		m.list(w, strings.TrimSuffix(path, "/"))
	case m.version == "1":
		m.first(w, r, path)
	case what == "metadata":
		m.metadata(w, r, path)
	case what == "data":
		m.data(w, r, path)
	case what == "destroy" && r.Method == http.MethodPut:
		var versions []int
		_ = json.Unmarshal(body(r)["versions"], &versions)
		for _, n := range versions {
			m.paths[path].versions[n-1].destroyed = true
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	}
}

// list has names of secrets, and those of folders with a slash.
func (m *fakeMount) list(w http.ResponseWriter, folder string) {
	keys := map[string]bool{}
	for path := range m.paths {
		rest, ok := strings.CutPrefix(path, folder+"/")
		if folder == "" {
			rest, ok = path, true
		}
		if name, _, deeper := strings.Cut(rest, "/"); ok && deeper {
			keys[name+"/"] = true
		} else if ok {
			keys[name] = true
		}
	}
	if len(keys) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	give(w, map[string]any{"keys": slices.Sorted(maps.Keys(keys))})
}

// first is version 1: what is posted is what is read.
func (m *fakeMount) first(w http.ResponseWriter, r *http.Request, path string) {
	if r.Method == http.MethodPost {
		members, _ := json.Marshal(body(r))
		m.paths[path] = &fakePath{versions: []*fakeVersion{{data: members}}}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if p := m.paths[path]; p != nil {
		give(w, p.versions[0].data)
		return
	}
	refuse(w, http.StatusNotFound)
}

func (m *fakeMount) metadata(w http.ResponseWriter, r *http.Request, path string) {
	p := m.paths[path]
	if p == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	if r.Method == http.MethodPost {
		_ = json.Unmarshal(body(r)["custom_metadata"], &p.custom)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	versions := map[string]any{}
	for i, v := range p.versions {
		versions[strconv.Itoa(i+1)] = map[string]any{"created_time": v.created.Format(time.RFC3339Nano),
			"deletion_time": v.deletion, "destroyed": v.destroyed}
	}
	give(w, map[string]any{"cas_required": false, "current_version": len(p.versions),
		"custom_metadata": p.custom, "delete_version_after": "0s", "max_versions": 0,
		"oldest_version": 0, "versions": versions})
}

func (m *fakeMount) data(w http.ResponseWriter, r *http.Request, path string) {
	p := m.paths[path]
	switch {
	case r.Method == http.MethodPost:
		if p == nil {
			p = &fakePath{}
			m.paths[path] = p
		}
		p.versions = append(p.versions, &fakeVersion{data: body(r)["data"], created: time.Now()})
		give(w, p.describe(len(p.versions)))
		return
	case p == nil:
		refuse(w, http.StatusNotFound)
		return
	case r.Method == http.MethodDelete:
		p.versions[len(p.versions)-1].deletion = time.Now().Format(time.RFC3339Nano)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("version"))
	if n == 0 {
		n = len(p.versions)
	}
	if n > len(p.versions) {
		refuse(w, http.StatusNotFound)
		return
	}
	v := p.versions[n-1]
	answer := map[string]any{"data": v.data, "metadata": p.describe(n)}
	if v.deletion != "" || v.destroyed {
		answer["data"] = nil
		w.WriteHeader(http.StatusNotFound)
	}
	give(w, answer)
}

func (p *fakePath) describe(n int) map[string]any {
	v := p.versions[n-1]
	return map[string]any{"created_time": v.created.Format(time.RFC3339Nano),
		"custom_metadata": p.custom, "deletion_time": v.deletion, "destroyed": v.destroyed, "version": n}
}
