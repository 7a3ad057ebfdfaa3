package vault

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
