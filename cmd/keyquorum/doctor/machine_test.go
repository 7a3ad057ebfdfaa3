package doctor

import (
	"strings"
	"testing"
)

// table is what the kernel says of a machine with disks of several kinds.
const table = `22 28 0:21 / /proc rw,nosuid shared:5 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 28 254:1 / /var/lib rw - xfs /dev/vdb rw,nobarrier
31 28 0:40 / /srv/a\040disk rw,relatime shared:9 - nfs4 files:/export rw,vers=4.2
32 28 0:41 / /mem rw - tmpfs none rw,size=64k
33 28 0:42 / /box rw - overlay overlay rw,lowerdir=/a:/b
34 28 0:43 / /user rw - fuse.sshfs me@there:/ rw
35 32 254:2 / /mem/disk rw - ext4 /dev/vdc rw
broken
`

// Each path is judged by what is mounted at it, and not by what it only begins like.
func TestFileSystemsThatAreNoDisk(t *testing.T) {
	for path, want := range map[string]string{
		"/var/lib/keyquorum": "warning is mounted with nobarrier",
		"/var/library":       "ok is on ext4",
		"/srv/a disk/data":   "warning is on nfs4: whether a sync reaches a disk is up to others",
		"/mem/data":          "warning is in memory",
		"/mem/disk/data":     "ok is on ext4",
		"/box/data":          "warning is in the layer of a container",
		"/user/data":         "warning is on fuse.sshfs",
		"/":                  "ok is on ext4",
	} {
		p := &page{}
		p.mounted("disk", path, mountIn(table, path))
		result, says, _ := strings.Cut(want, " ")
		if got := p.checks[0]; string(got.Result) != result || !strings.Contains(got.Found, says) {
			t.Errorf("%s: %+v, want %s", path, got, want)
		}
	}
	p := &page{}
	p.mounted("disk", "/x", mountIn("", "/x"))
	if p.checks[0].Result != Skipped {
		t.Errorf("without a table: %+v", p.checks[0])
	}
}

// What a node answers is foreign: no text of it ends the program.
func FuzzSamples(f *testing.F) {
	f.Add([]byte("# TYPE a gauge\na 1\na{b=\"c\"} -2\n"))
	f.Add([]byte("a{b=\"\xff\"} NaN\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := samplesOf(text); (s == nil) == (err == nil) {
			t.Errorf("%v, %v", s, err)
		}
	})
}

// Of a metric with labels the worst value counts: the fullest disk, the store that fails.
func TestSamplesHaveTheWorst(t *testing.T) {
	s, err := samplesOf([]byte("# TYPE " + freeRoom + " gauge\n" + freeRoom + "{disk=\"a\"} 7\n" +
		freeRoom + "{disk=\"b\"} 3\n" + "# TYPE failing gauge\nfailing{store=\"a\"} 0\n" +
		"failing{store=\"b\"} 1\nfailing{store=\"c\"} 0\n# TYPE n counter\nn 5\n"))
	if err != nil || s[freeRoom] != 3 || s["failing"] != 1 || s["n"] != 5 || s["none"] != 0 {
		t.Errorf("%v, %v", s, err)
	}
}
