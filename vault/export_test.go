package vault

import "context"

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
