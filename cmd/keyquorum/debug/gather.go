package debug

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/cmd/keyquorum/operator"
)

// callTime bounds one call. A node that hangs costs as much, once a call.
const callTime = 10 * time.Second

func (g *gathering) index() index {
	return index{Program: g.version, Taken: time.Now().UTC().Truncate(time.Second),
		Duration: g.options.duration.String(), Interval: g.options.interval.String(),
		Asked: g.api.Base}
}

// facts are small files of the kernel's that tell of the machine, and nothing of who uses it.
var facts = []string{"/proc/version", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg",
	"/proc/uptime", "/proc/swaps", "/proc/self/mountinfo", "/proc/self/limits",
	"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory", "/proc/diskstats",
	"/proc/net/snmp", "/etc/os-release"}

// machine takes facts of this machine, which is a node's only if the command runs there.
func (g *gathering) machine() {
	g.doing.Store("Looking at the machine")
	all := map[string]any{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		"cpus": runtime.NumCPU(), "time": time.Now().UTC()}
	files := map[string]string{}
	for _, name := range facts {
		if content, err := readEnd(name, 64<<10); err == nil {
			files[name] = string(content)
		}
	}
	all["files"] = files
	g.putJSON("machine.json", "the machine on which the bundle was made", all, nil)
	const what = "the settings of the node on this machine, without values that may be secrets"
	if !g.settings.Told {
		g.putJSON("settings.json", what, nil, errors.New("none were given: --config names their file"))
		return
	}
	g.putJSON("settings.json", what, g.settings.Settings, nil)
	if g.settings.Data == "" {
		g.putJSON("folder.json", "names and sizes of the files in the data folder", nil,
			errors.New("the settings name no folder that is there"))
		return
	}
	names, err := filesOf(g.settings.Data)
	g.putJSON("folder.json", "names and sizes of the files in the data folder", names, err)
}

// A stored is a file of a data folder.
type stored struct {
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	Mode     string    `json:"mode"`
	Modified time.Time `json:"modified"`
}

// maxNames bounds the files that are told of. A data folder has some dozens.
const maxNames = 10_000

// filesOf lists a data folder, in whose names there is no name of an object.
func filesOf(dir string) (all []stored, err error) {
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || len(all) == maxNames {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // it is gone: a node works there
		}
		name, _ := filepath.Rel(dir, path)
		all = append(all, stored{name, info.Size(), info.Mode().String(), info.ModTime().UTC()})
		return nil
	})
	return all, err
}

// doctor examines.
func (g *gathering) doctor(ctx context.Context) {
	r, err := doctor.Examine(ctx, g.settings, g.connection)
	g.putJSON("doctor.json", "what keyquorum doctor finds", r, err)
}

// unquoted leaves out what may quote a setting that is wrong: it may be a secret in the wrong
// place, however short.
func unquoted(s doctor.Server) doctor.Server {
	var hidden []string
	for _, setting := range s.Settings {
		hidden = append(hidden, setting.Hidden...)
	}
	s.Findings = slices.Clone(s.Findings)
	for i := range s.Findings {
		f := &s.Findings[i]
		if f.Quotes || holds(hidden, f.Found, f.Next) {
			f.Found, f.Next = "something is wrong (keyquorum server --check says what)", ""
		}
	}
	s.Reached = slices.DeleteFunc(slices.Clone(s.Reached), func(at string) bool {
		return holds(hidden, at)
	})
	for _, path := range []*string{&s.Data, &s.TLSCert, &s.UsageLog} {
		if slices.Contains(hidden, *path) {
			*path = ""
		}
	}
	return s
}

// maxLog is how much of a log's end is taken, in bytes.
const maxLog = 1 << 20

// log takes the end of the file that the operator has named. The usage log has the names of all
// objects, so it is refused.
func (g *gathering) log() {
	const name, what = "log.txt", "the end of the node's log"
	if g.options.log == "" {
		g.put(name, what, nil, errors.New("--log names its file"))
		return
	}
	content, err := readEnd(g.options.log, maxLog)
	if err == nil && isUsageLog(content) {
		err = fmt.Errorf("%s is a usage log, which has the names of all objects", g.options.log)
	}
	g.put(name, what, content, err)
}

// isUsageLog says whether some line is a usage record (docs/usage-log.md).
func isUsageLog(content []byte) bool {
	for line := range bytes.Lines(content) {
		var record map[string]json.RawMessage
		if json.Unmarshal(line, &record) != nil {
			continue
		}
		if _, is := record["plane"]; is {
			return true
		}
	}
	return false
}

// readEnd reads the last bytes of a file. One of the kernel's has no size, and is read from its
// beginning. A pipe or a device is refused: who reads one may wait for ever.
func readEnd(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// A member is a node that is asked for itself.
type member struct {
	folder, name, address string
}

// maxMembers bounds how many are asked. No cluster has as many.
const maxMembers = 64

// membersThatAnswer takes what there is of the cluster and of each member, and says which of them
// answered.
func (g *gathering) membersThatAnswer(ctx context.Context) (answering []member) {
	all := g.cluster(ctx)
	all = all[:min(len(all), maxMembers)]
	g.doing.Store(fmt.Sprintf("Asking %d nodes", len(all)))
	answers := make([]bool, len(all))
	var asks []func()
	for i, m := range all {
		asks = append(asks, func() { answers[i] = g.member(ctx, m) })
	}
	together(asks...)
	for i, m := range all {
		if answers[i] {
			answering = append(answering, m)
		}
	}
	return answering
}

// cluster takes what one node says of all, and gives those that there are: as the leader sees them,
// else as that node knows them; where it says nothing, itself.
func (g *gathering) cluster(ctx context.Context) (members []member) {
	g.doing.Store("Asking for the members")
	var surveyed operator.ClusterStatus
	var known operator.RaftConfiguration
	together(func() {
		g.fetchJSON(ctx, g.api, "/v1/sys/ha-status", "cluster/ha-status.json",
			"all members, by the leader", &surveyed)
	}, func() {
		g.fetchJSON(ctx, g.api, "/v1/sys/storage/raft/configuration",
			"cluster/raft-configuration.json", "Raft's configuration", &known.Data)
	})
	for _, n := range surveyed.Nodes {
		members = append(members, member{name: cmp.Or(n.Name, n.ID), address: n.API})
	}
	if len(members) == 0 {
		for _, p := range known.Data.Config.Servers {
			members = append(members, member{name: cmp.Or(p.Label, p.ID), address: p.API})
		}
	}
	if len(members) == 0 {
		members = []member{{name: "the node that was asked", address: g.api.Base}}
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	for i := range members {
		members[i].folder = fmt.Sprintf("nodes/%d", i+1)
	}
	return members
}

// What a member is asked of itself. The first three need no token.
var questions = []struct{ path, file, what string }{
	{"/v1/sys/seal-status", "seal-status.json", "whether it is sealed"},
	{"/v1/sys/leader", "leader.json", "who leads, by its knowledge"},
	{"/v1/sys/init", "init.json", "whether it has a cluster"},
	{"/v1/keyquorum/state", "state.json", "index and digest of its state"},
	{"/v1/sys/loggers", "loggers.json", "at which level it logs"},
	{"/v1/sys/key-status", "key-status.json", "since when the keyring is what it is"},
}

// member takes all but its metrics, each within its own time. One that does not answer is not asked
// again.
func (g *gathering) member(ctx context.Context, m member) (answers bool) {
	api, err := g.answering(ctx, m)
	if err != nil {
		g.put(m.folder, m.name+": all that it tells of itself", nil, err)
		return false
	}
	asks := []func(){func() {
		text, err := fetchText(ctx, api, "/v1/sys/pprof/goroutine")
		g.put(m.folder+"/goroutines.txt",
			m.name+": where its goroutines are, without what they hold", text, err)
	}}
	for _, a := range questions {
		asks = append(asks, func() {
			g.fetchJSON(ctx, api, a.path, m.folder+"/"+a.file, m.name+": "+a.what, nil)
		})
	}
	together(asks...)
	return true
}

// answering is a client of a member that answers.
func (g *gathering) answering(ctx context.Context, m member) (*operator.Client, error) {
	if m.address == "" {
		return nil, errors.New("at which address it serves is not known here")
	}
	api, err := g.connection.Member(m.address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return api, api.Call(ctx, http.MethodGet, "/v1/sys/seal-status", nil, nil)
}

// metrics are fetched from all members, at intervals.
func (g *gathering) metrics(ctx context.Context, members []member) {
	begun := time.Now()
	for round := 0; ; round++ {
		var scrapes []func()
		for _, m := range members {
			scrapes = append(scrapes, func() { g.scrape(ctx, m, round) })
		}
		together(scrapes...)
		next := begun.Add(time.Duration(round+1) * g.options.interval)
		if next.Sub(begun) > g.options.duration {
			return
		}
		left := g.options.duration - time.Since(begun)
		g.doing.Store(fmt.Sprintf("Fetching metrics (%s left; Ctrl-C ends it early)",
			left.Round(time.Second)))
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return
		}
	}
}

// scrape takes a member's metrics of now. Why they can't be had is said once.
func (g *gathering) scrape(ctx context.Context, m member, round int) {
	api, err := g.connection.Member(m.address)
	var text []byte
	if err == nil {
		text, err = fetchText(ctx, api, "/v1/sys/metrics")
	}
	if err != nil && round > 0 {
		return
	}
	g.put(fmt.Sprintf("%s/metrics-%03d.txt", m.folder, round),
		fmt.Sprintf("%s: metrics at %s", m.name, time.Now().UTC().Format(time.RFC3339)), text, err)
}

// fetchJSON adds a node's answer, without what is the same in each, and decodes it (nil: not
// wanted).
func (g *gathering) fetchJSON(ctx context.Context, api *operator.Client, path, name, what string,
	out any) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	err := api.Call(ctx, http.MethodGet, path, nil, &answer)
	g.putJSON(name, what, answer.Data, err)
	if err == nil && out != nil {
		_ = json.Unmarshal(answer.Data, out) // what is not understood is in the file
	}
}

// fetchText is a node's answer that is no JSON.
func fetchText(ctx context.Context, api *operator.Client, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var text bytes.Buffer
	err := api.Fetch(ctx, path, operator.Bounded(&text, maxFile))
	return text.Bytes(), err
}
