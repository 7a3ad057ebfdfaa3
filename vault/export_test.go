package vault

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
