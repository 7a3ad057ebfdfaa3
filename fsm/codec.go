package fsm

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

var (
	encoding = must(func() (cbor.EncMode, error) {
		o := cbor.CoreDetEncOptions()
		o.NilContainers = cbor.NilContainerAsEmpty // so that nil and empty have one encoding
		return o.EncMode()
	}())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxArrayElements:  max(MaxConditions, MaxWrites),
		MaxMapPairs:       16, // the least the library allows; there are no maps
		MaxNestedLevels:   4,  // likewise; there are three
	}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// A version is all that a file or log entry says of the release that wrote it.
type versionError struct{ found, known byte }

func unknownVersion(found, known byte) error { return versionError{found, known} }

func (e versionError) Error() string {
	return fmt.Sprintf("format version %d was written by another release of Keyquorum; this one reads version %d only: start a release that reads version %d on this node",
		e.found, e.known, e.found)
}
