package powercut_test

import (
	"bytes"
	"testing"

	"keyquorum/internal/powercut"
)

// sectors are n sectors of one letter each.
func sectors(letters string) (b []byte) {
	for _, l := range []byte(letters) {
		b = append(b, bytes.Repeat([]byte{l}, 512)...)
	}
	return b
}

func letters(b []byte) (s string) {
	for ; len(b) > 0; b = b[512:] {
		s += string(b[:1])
	}
	return s
}

func write(at int64, letters string) powercut.Step {
	return powercut.Step{Kind: powercut.Write, Offset: at * 512, New: sectors(letters)}
}

var (
	synced = powercut.Step{Kind: powercut.Synced}
	failed = powercut.Step{Kind: powercut.SyncFailed}
)

// states are all that a disk may hold, oldest first.
func states(d *powercut.Disk) (all []string) {
	for choices := []int{}; ; {
		asked := 0
		var most []int
		state := d.State(func(options int) int {
			if asked == len(choices) {
				choices = append(choices, 0)
			}
			most = append(most, options-1)
			asked++
			return choices[asked-1]
		})
		all = append(all, letters(state))
		i := len(choices) - 1
		for ; i >= 0 && choices[i] == most[i]; i-- {
			choices[i] = 0
		}
		if i < 0 {
			return all
		}
		choices[i]++
	}
}

func TestLegalStates(t *testing.T) {
	for name, c := range map[string]struct {
		steps []powercut.Step
		want  []string
	}{
		"nothing": {nil, []string{"abcd"}},
		"unsynced is any subset": {[]powercut.Step{write(1, "xy")},
			[]string{"abcd", "abyd", "axcd", "axyd"}},
		"synced stays":               {[]powercut.Step{write(1, "xy"), synced}, []string{"axyd"}},
		"the same again is no doubt": {[]powercut.Step{write(1, "bc")}, []string{"abcd"}},
		"twice before a sync": {[]powercut.Step{write(1, "x"), write(1, "y")},
			[]string{"abcd", "axcd", "aycd"}},
		"twice, then a sync": {[]powercut.Step{write(1, "x"), write(1, "y"), synced},
			[]string{"aycd"}},
		"there and back": {[]powercut.Step{write(1, "x"), write(1, "b")},
			[]string{"abcd", "axcd", "abcd"}},
		"a failed sync decides nothing": {[]powercut.Step{write(1, "x"), failed},
			[]string{"abcd", "axcd"}},
		"nor does one after it": {[]powercut.Step{write(1, "x"), failed, write(3, "y"), synced},
			[]string{"abcy", "axcy"}},
		"writing anew does": {[]powercut.Step{write(1, "x"), failed, write(1, "y"), synced},
			[]string{"aycd"}},
		"growing": {[]powercut.Step{write(4, "x"), synced, write(5, "y")},
			[]string{"abcdx\x00", "abcdxy"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := powercut.NewDisk(sectors("abcd"))
			for _, s := range c.steps {
				d.Apply(s)
			}
			got := states(d)
			if len(got) != len(c.want) {
				t.Fatalf("states are %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("states are %q, want %q", got, c.want)
				}
			}
			if n := d.Doubtful(); (n == 0) != (len(got) == 1) {
				t.Errorf("%d sectors are doubtful", n)
			}
		})
	}
}
