package seal_test

import (
	"errors"
	"strings"
	"testing"

	"keyquorum/seal"
)

func TestRecordRoundTrip(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {5, 3}, {255, 255}} {
		record, _, _ := mustInit(t, c[0], c[1])
		got, err := seal.DecodeRecord(record.Encode())
		check(t, err)
		if got != record {
			t.Errorf("%d of %d: decoded %+v, want %+v", c[1], c[0], got, record)
		}
		if got.ClusterID != clusterA || got.Shares != c[0] || got.Threshold != c[1] ||
			got.Generation != 1 {
			t.Errorf("decoded %+v", got)
		}
	}
}

// A seal record stands in the clear and an attacker may write it. Whatever byte is changed: it does
// not decode, or it takes no share, or the root key does not come out. Nothing else may happen.
func TestEveryFlippedByteOfARecordIsFound(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	encoded := record.Encode()
	for i := range encoded {
		altered := record.Encode()
		altered[i] ^= 1 << (i % 8)
		if err := openRecord(altered, shares); err == nil {
			t.Fatalf("byte %d altered, and the root key came out", i)
		}
	}
	if err := openRecord(encoded, shares); err != nil {
		t.Fatalf("unaltered: %v", err)
	}
}

func openRecord(encoded []byte, shares []seal.Plaintext) error {
	record, err := seal.DecodeRecord(encoded)
	if err != nil {
		return err
	}
	c := seal.NewCeremony(record)
	for _, s := range shares {
		if _, err := c.Add(s); err != nil {
			return err
		}
	}
	_, err = c.Open()
	return err
}

func TestEachAlterationOfARecordIsTold(t *testing.T) {
	record, shares, _ := mustInit(t, 3, 2)
	wrapped := len(record.Encode()) - 104
	for _, c := range []struct {
		what   string
		at     int
		shares int
		want   error
	}{
		{"cluster id, to which shares are bound", 5, 2, seal.ErrShareForeign},
		{"generation, to which shares are bound", 28, 2, seal.ErrShareForeign},
		{"number of shares", 29, 2, seal.ErrRecord},
		{"threshold", 30, 3, seal.ErrTampered},
		{"hash of the first share", 31, 2, seal.ErrShareForeign},
		{"hash of a share that nobody gives", 31 + 2*32, 2, seal.ErrTampered},
		{"commitment of the wrapped root key", wrapped, 2, seal.ErrWrongKey},
		{"nonce of the wrapped root key", wrapped + 32, 2, seal.ErrTampered},
	} {
		altered := record.Encode()
		altered[c.at]++
		if err := openRecord(altered, shares[:c.shares]); !errors.Is(err, c.want) {
			t.Errorf("%s altered: %v, want %v", c.what, err, c.want)
		}
	}
}

func TestDecodeRecordSaysWhatIsWrong(t *testing.T) {
	record, _, _ := mustInit(t, 3, 2)
	good := record.Encode()
	with := func(at int, b ...byte) []byte {
		altered := record.Encode()
		copy(altered[at:], b)
		return altered
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"empty":           {nil, "not a seal record"},
		"other magic":     {with(0, 'X'), "not a seal record"},
		"newer version":   {with(4, 3), "version 3"},
		"short":           {good[:len(good)-1], "bytes where"},
		"long":            {append(record.Encode(), 0), "bytes where"},
		"threshold zero":  {with(30, 0), "threshold 0 of 3"},
		"threshold high":  {with(30, 4), "threshold 4 of 3"},
		"no shares":       {with(29, 0), "threshold 2 of 0"},
		"generation zero": {with(21, make([]byte, 8)...), "generation 0"},
		"one more share":  {with(29, 4), "bytes where"},
	} {
		_, err := seal.DecodeRecord(c.bytes)
		if !errors.Is(err, seal.ErrRecord) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
