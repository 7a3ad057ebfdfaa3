package statespace_test

import (
	"testing"

	"keyquorum/internal/statespace"
)

// upwards goes by one or by two, as far as five.
func upwards(from int, emit func(to int, wrong bool)) {
	for _, to := range []int{from + 1, from + 2} {
		if to <= 5 {
			emit(to, false)
		}
	}
}

func TestTheFarthestPlacesAreLookedAt(t *testing.T) {
	var shown []int
	space := statespace.Space[int]{First: 0, Hash: func(k *int) uint64 { return uint64(*k) },
		Next: upwards, Farthest: func(at int) bool { shown = append(shown, at); return at == 5 }}
	found := space.Search(100, func(int, int) {})
	if len(shown) != 1 || shown[0] != 5 || found.Complete || len(found.Way) != 4 {
		t.Errorf("shown %v, found %+v; want 5, which takes three steps", shown, found)
	}
}
