package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
)

// machineChecks are those of the machine on which the node of some settings runs.
func machineChecks(s Server) []Check {
	p := &page{of: ofMachine}
	if !s.Told || s.Data == "" {
		p.skip("machine", "", "which machine is the node's follows from its settings")
		return p.checks
	}
	holder := holderOf(s.Data)
	for _, place := range places(s) {
		p.fileSystem(place)
		p.inodes(place)
	}
	p.owners(s.Data, holder)
	p.syncs(s.Data)
	p.limits(holder)
	p.swap(holder)
	p.clock()
	return p.checks
}

// A place is a folder that the node writes to.
type place struct{ what, path string }

// places are the folders that are there: the data folder, or what it is to be made in, and that of
// the usage log where it is another.
func places(s Server) []place {
	all := []place{{"data folder", existing(s.Data)}}
	if log := filepath.Dir(s.UsageLog); s.UsageLog != "" && existing(log) != all[0].path {
		all = append(all, place{"usage log", existing(log)})
	}
	return all
}

// existing is a path, or the nearest above it that is there.
func existing(path string) string {
	path = filepath.Clean(path)
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// A mount is a line of /proc/self/mountinfo.
type mount struct {
	point, kind string
	options     []string
}

// mountOf is what is mounted where a path is; the zero mount where that is not known.
func mountOf(path string) mount {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	path, _ = filepath.Abs(path)
	table, _ := os.ReadFile("/proc/self/mountinfo")
	return mountIn(string(table), path)
}

// mountIn finds an absolute path in the kernel's table (proc_pid_mountinfo(5)).
func mountIn(table, path string) (found mount) {
	for line := range strings.Lines(table) {
		front, back, _ := strings.Cut(line, " - ")
		ours, theirs := strings.Fields(front), strings.Fields(back)
		if len(ours) < 6 || len(theirs) < 3 {
			continue
		}
		point := unescape(ours[4])
		below := path == point || strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/")
		if below && len(point) >= len(found.point) { // what was mounted later hides what is below it
			found = mount{point, theirs[0], strings.Split(ours[5]+","+theirs[2], ",")}
		}
	}
	return found
}

// unescape reads a path of mountinfo, in which four bytes are octal.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// elsewhere are kinds of file systems that are no disk of this machine.
var elsewhere = []string{"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "vboxsf", "vmhgfs",
	"ceph", "afs", "glusterfs", "prl_fs"}

// fileSystem warns of one on which a sync may not reach a disk.
func (p *page) fileSystem(at place) {
	p.mounted("file system of the "+at.what, at.path, mountOf(at.path))
}

// mounted judges what is mounted at a path.
func (p *page) mounted(check, path string, m mount) {
	const disk = "put it on a disk of the machine's own"
	careless := slices.IndexFunc(m.options, func(o string) bool {
		return o == "nobarrier" || o == "barrier=0" || o == "eatmydata"
	})
	switch {
	case m.kind == "":
		p.skip(check, "", "what is mounted at %s is not known", path)
	case m.kind == "tmpfs" || m.kind == "ramfs":
		p.add(check, Warning, disk, "%s is in memory (%s): it is gone when the machine stops", path,
			m.kind)
	case m.kind == "overlay":
		p.add(check, Warning, "give it a volume", "%s is in the layer of a container: it is gone with it",
			path)
	case slices.Contains(elsewhere, m.kind) || strings.HasPrefix(m.kind, "fuse"):
		p.add(check, Warning, disk, "%s is on %s: whether a sync reaches a disk is up to others", path,
			m.kind)
	case careless >= 0:
		p.add(check, Warning, "mount it without that", "%s is mounted with %s: a sync does not wait for "+
			"the disk", m.point, m.options[careless])
	default:
		p.ok(check, "%s is on %s", path, m.kind)
	}
}

// fewInodes is fewer than a node needs in a day that goes wrong.
const fewInodes = 10_000

func (p *page) inodes(at place) {
	check := "inodes of the " + at.what
	var s unix.Statfs_t
	switch err := unix.Statfs(at.path, &s); {
	case err != nil:
		p.skip(check, "", "%s: %v", at.path, err)
	case s.Files == 0:
		p.ok(check, "the file system has no fixed number of them")
	case s.Ffree < fewInodes:
		p.add(check, Warning, "remove files, or make the file system anew with more",
			"%d files may yet be made there", s.Ffree)
	default:
		p.ok(check, "%d files may yet be made there", s.Ffree)
	}
}

// owners warns of files that are not the node's user's: it can't change them after its next start.
// The user is that of the running node, else the folder's owner.
func (p *page) owners(data string, holder *process) {
	const check = "owner of the files"
	info, err := os.Stat(data)
	if err != nil {
		p.skip(check, "", "there is no folder yet")
		return
	}
	user, who := ownerOf(info), "the folder's owner"
	if holder != nil {
		user, who = holder.user, "the node's user"
	}
	foreign, first := 0, ""
	_ = filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // server --check says so
		}
		if info, err := d.Info(); err == nil && ownerOf(info) != user {
			if foreign++; foreign == 1 {
				first = path
			}
		}
		return nil
	})
	if foreign > 0 {
		p.add(check, Failed, fmt.Sprintf("chown -R %d %s", user, data),
			"%d files are not of %s, %d, as %s: the node can't change them", foreign, who, user, first)
		return
	}
	p.ok(check, "all are of %s, %d", who, user)
}

func ownerOf(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// What is measured of a disk: a few writes as Raft's log makes them, in so much time at most.
const (
	syncRounds = 16
	syncBudget = 3 * time.Second
	slowSync   = 20 * time.Millisecond
)

// syncs times writes that reach the disk. The file has no name, so that nothing is left of it
// whatever happens.
func (p *page) syncs(data string) {
	const check = "disk"
	fd, err := unix.Open(data, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		p.skip(check, "", "not timed: no file without a name can be made in %s (%v)", data, err)
		return
	}
	timed := make(chan []time.Duration, 1)
	go func() { // a disk that hangs keeps it until the program ends
		defer unix.Close(fd)
		timed <- timeSyncs(fd)
	}()
	select {
	case took := <-timed:
		p.syncsTook(check, took)
	case <-time.After(2 * syncBudget):
		p.add(check, Failed, "look at the disk, and the kernel's log",
			"a write of 4 KiB has not reached it in %s", 2*syncBudget)
	}
}

// timeSyncs gives the times in ascending order, and fewer where one fails.
func timeSyncs(fd int) (took []time.Duration) {
	begun, block := time.Now(), make([]byte, 4096)
	for i := range syncRounds {
		at := time.Now()
		if at.Sub(begun) > syncBudget {
			break
		}
		_, err := unix.Pwrite(fd, block, int64(i*len(block)))
		if err != nil || unix.Fdatasync(fd) != nil {
			break
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	return took
}

func (p *page) syncsTook(check string, took []time.Duration) {
	if len(took) == 0 {
		p.add(check, Failed, "make room, or look at the disk and the kernel's log",
			"a write of 4 KiB does not reach it")
		return
	}
	median, slowest := took[len(took)/2], took[len(took)-1]
	text := fmt.Sprintf("a write of 4 KiB reaches it in %s, the slowest of %d in %s",
		rounded(median), len(took), rounded(slowest))
	if median > slowSync {
		p.add(check, Warning, "a write to the cluster takes two of these on a majority of the nodes: "+
			"use a faster disk, or one that nobody else uses", "%s", text)
		return
	}
	p.ok(check, "%s", text)
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// swap warns where a page with a key may be written to a disk.
func (p *page) swap(holder *process) {
	const check = "swap"
	table, err := os.ReadFile("/proc/swaps")
	switch devices := strings.Count(string(table), "\n") - 1; {
	case err != nil:
		p.skip(check, "", "%v", err)
	case devices <= 0:
		p.ok(check, "the machine has none")
	case holder != nil && holder.swapForbidden():
		p.ok(check, "the machine has some, and the node's process may not use it")
	default:
		p.add(check, Warning, "switch it off, or for the process (MemorySwapMax=0 under systemd)",
			"the machine has %d swap devices, and a page in swap can keep a key", devices)
	}
}

// clock asks the kernel whether anything keeps its clock right.
func (p *page) clock() {
	const check = "clock is kept right"
	var t unix.Timex // with no modes: it only reads
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		p.skip(check, "", "the kernel does not say: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		p.add(check, Warning, "run chrony or another NTP client, unless the hypervisor keeps the clock",
			"nothing tells the kernel the time, which is %s by its clock", console.TimeText(time.Now()))
	default:
		p.ok(check, "by NTP, with an error of at most %s",
			rounded(time.Duration(t.Maxerror)*time.Microsecond))
	}
}
