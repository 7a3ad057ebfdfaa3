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

// A releaseError says that another release of Keyquorum wrote what this one can't read. Who signed it
// follows its rules, and so do all nodes of that release: this one must stop, or it would differ.
type releaseError string

func (e releaseError) Error() string { return string(e) }

// A version is all that a file or log entry says of the release that wrote it.
func unknownVersion(found, known byte) error {
	return releaseError(fmt.Sprintf("format version %d was written by another release of "+
		"Keyquorum; this one reads version %d only: start a release that reads version %d on this node",
		found, known, found))
}

func unknownVerb(found Verb) error {
	return releaseError(fmt.Sprintf("verb %d was signed by a newer release of Keyquorum, and this one "+
		"does not know it: start the release of the other nodes on this node", found))
}
