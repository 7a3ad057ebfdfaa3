package lives_test

import (
	"testing"

	"keyquorum/cluster/lives"
)

func TestWhatLivesCantHaveSaid(t *testing.T) {
	const back, copied = lives.PutBack, lives.Copied
	type past struct{ Life, Name, Applied, Term, RivalOf int }
	for name, c := range map[string]struct {
		count int
		past  past
		want  lives.Word
	}{
		"the next":                      {3, past{Life: 2, Name: 8, Applied: 9, Term: 9}, ""},
		"the same":                      {3, past{Life: 3, Name: 9, Applied: 90, Term: 90}, ""},
		"two later":                     {3, past{Life: 1, Name: 7, Applied: 8, Term: 8}, ""},
		"so long ago that it is gone":   {30, past{Life: 1, Name: 99, Applied: 7, Term: 7}, ""},
		"an older one":                  {3, past{Life: 4, Name: 10}, back},
		"another of the same count":     {3, past{Life: 3, Name: 99}, back},
		"behind another":                {3, past{Life: 2, Name: 99}, back},
		"with too short a log":          {3, past{Life: 2, Name: 8, Applied: 10}, back},
		"in too low a term":             {3, past{Life: 2, Name: 8, Term: 10}, back},
		"that caught up in between":     {3, past{Life: 1, Name: 7, Applied: 9}, back},
		"that caught up, long ago":      {30, past{Life: 1, Name: 99, Applied: 9}, back},
		"beside the one that it leaves": {3, past{Life: 2, Name: 8, RivalOf: 9}, copied},
	} {
		said := lives.Said{
			Life:    lives.ID{Count: uint64(c.past.Life), Name: [16]byte{byte(c.past.Name)}},
			Applied: uint64(c.past.Applied), Term: uint64(c.past.Term),
			Rival: [16]byte{byte(c.past.RivalOf)},
		}
		if got := named(c.count).Against(said); got != c.want {
			t.Errorf("a life %s: %q, not %q", name, got, c.want)
		}
	}
}

// named are lives with the names 7, 8 and 9, the last of a count, each begun with as long a log and
// in as high a term as its name says.
func named(count int) lives.Lives {
	l := lives.Lives{Count: uint64(count)}
	for n := 7; n <= 9; n++ {
		l.List = append(l.List, lives.Life{Name: [16]byte{byte(n)}, Last: uint64(n), Term: uint64(n)})
	}
	return l
}
