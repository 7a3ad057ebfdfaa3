// Package wire has the one encoding of what members tell each other, and of what cluster keeps in
// folders and records: CBOR, deterministic when written and strict when read (docs/formats.md).
//
// It does not know what is encoded, and it bounds only the shape. A caller that reads from other
// members bounds the length first.
package wire

import "github.com/fxamacker/cbor/v2"

var (
	encoder, _ = cbor.CoreDetEncOptions().EncMode()
	decoder, _ = cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, MaxNestedLevels: 8, MaxArrayElements: 4096, MaxMapPairs: 64,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
)

// Encode writes v. The same value gives the same bytes on every node.
func Encode(v any) ([]byte, error) { return encoder.Marshal(v) }

// Decode reads b into what v points to. It refuses what is not of v's shape, what stands behind it,
// and what is nested deeper, or longer, than anything that members tell.
func Decode(b []byte, v any) error { return decoder.Unmarshal(b, v) }
