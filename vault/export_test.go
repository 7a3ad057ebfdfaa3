package vault

import (
	"context"
	"fmt"
	"strings"
)

var LowerS = lowerS

// HoldTurns takes every turn at a core, as slow keys in use do, and gives what gives them back.
func (v *Vaults) HoldTurns() (release func()) {
	for range cap(v.turns) {
		v.turns <- struct{}{}
	}
	return func() {
		for range cap(v.turns) {
			<-v.turns
		}
	}
}

// HoldGeneration takes every place for making keys, as many who want keys at once do.
func (v *Vaults) HoldGeneration() {
	for range cap(v.generating) {
		v.generating <- struct{}{}
	}
}

// HoldLine is at the front of those who write a secret, until it leaves.
func (v *Vaults) HoldLine(c Caller, secret string) (leave func()) {
	line := verb{operation: "secrets/set", writes: true}.line(c, target{name: secret})
	leave, err := v.lines.join(context.Background(), line)
	if err != nil {
		panic(err)
	}
	return leave
}

// InLine counts the objects that are being written or waited for.
func (v *Vaults) InLine() int {
	v.lines.mu.Lock()
	defer v.lines.mu.Unlock()
	return len(v.lines.waiting)
}

// WrongInIndexes says where the indexes of vaults and their heads are at odds.
func (v *Vaults) WrongInIndexes() (wrong []string) {
	d := &decision{v: v}
	d.begin(v.cfg.Replica.View())
	for path, record := range d.view.Scan(vaultNameDir, "") {
		r, err := unkept(v, path, record, decodeVault)
		if d.vault = r; err != nil || !d.indexed() || r.State == purging {
			continue
		}
		want := d.wantedEntries()
		for path := range d.view.Scan(vaultDir(r.ID), "") {
			if of := path[len(vaultDir(r.ID)):]; !strings.HasPrefix(of, "deleted/") &&
				!strings.HasPrefix(of, "due/") && !strings.HasPrefix(of, "rotating/") {
				continue
			}
			if !want[path] {
				wrong = append(wrong, fmt.Sprint("there should be no ", path))
			}
			delete(want, path)
		}
		for path := range want {
			wrong = append(wrong, fmt.Sprint("there should be ", path))
		}
	}
	return wrong
}

func (d *decision) wantedEntries() map[string]bool {
	want := map[string]bool{}
	for kind := range plurals {
		for name := range heads(d.view, headDir(d.vault.ID, kind), "") {
			o := object{path: headPath(d.vault.ID, kind, name)}
			record, _ := d.view.Get(o.path)
			h, err := unkept(d.v, o.path, record, decodeHead)
			if err != nil {
				continue
			}
			for _, path := range placeOf(o.path).entries(h) {
				want[path] = true
			}
			if policy, err := d.rotation(o); kind == keyKind && err == nil && policy.rotates() {
				want[rotatingPath(d.vault.ID, name)] = true
			}
		}
	}
	return want
}
