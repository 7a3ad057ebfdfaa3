package cluster_test

import (
	"testing"

	"keyquorum/cluster"
	"keyquorum/internal/testkey"
)

// FuzzTrust: what a folder or an admission says is trusted is taken whole, or not at all.
func FuzzTrust(f *testing.F) {
	k := testkey.New(1, 0)
	for _, trust := range []cluster.Trust{
		{Line: k.Line()},
		{Line: k.Extend(k.Line(), testkey.New(2, 0)),
			Removed: []string{"00000000000000000000000000000002"}},
	} {
		b, err := trust.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{1, 0x82, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		trust, err := cluster.DecodeTrust(b)
		if err != nil {
			return
		}
		again, err := trust.Encode()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := cluster.DecodeTrust(again)
		if err != nil || len(twice.Line) == 0 || len(twice.Line) != len(trust.Line) ||
			len(twice.Removed) != len(trust.Removed) {
			t.Fatalf("%x is %+v, and written again %+v, %v", b, trust, twice, err)
		}
	})
}
