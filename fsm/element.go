package fsm

import (
	"encoding/binary"

	"github.com/hashicorp/raft"
)

// An element is one part of the state as bytes: a tag, then fixed fields, big-endian, with lengths
// before what varies. So no two parts have the same bytes, and the bytes of one are the same
// wherever they are written: a snapshot is the elements in order, the digest is the sum of the same
// elements (docs/formats-fsm.md).
const (
	tagConfiguration = 'C'
	tagRecord        = 'R'
	tagDirectory     = 'D'
	tagDecision      = 'I'
	tagGrave         = 'G'
	tagAccount       = 'A'
	tagPast          = 'P'
	tagEnd           = 'E'

	// In the tail of a snapshot, behind the elements.
	tagCommand = 'c'
	tagServers = 'g'
	tagRefused = 'x'
	tagLast    = 'Z'
)

func appendConfiguration(b []byte, c raft.Configuration, index uint64) []byte {
	b = append(b, tagConfiguration)
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Servers)))
	for _, s := range c.Servers {
		b = append(b, byte(s.Suffrage))
		b = appendString(b, string(s.ID))
		b = appendString(b, string(s.Address))
	}
	return b
}

func appendRecord(b []byte, path string, r *Record) []byte {
	b = append(b, tagRecord)
	b = appendString(b, path)
	b = binary.BigEndian.AppendUint64(b, r.Logical)
	b = binary.BigEndian.AppendUint64(b, r.Mod)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Value)))
	return append(b, r.Value...)
}

func appendDirectory(b []byte, path string, own uint64) []byte {
	b = append(b, tagDirectory)
	b = appendString(b, path)
	return binary.BigEndian.AppendUint64(b, own)
}

func appendDecision(b []byte, id ID, o Outcome) []byte {
	b = append(b, tagDecision)
	b = binary.BigEndian.AppendUint64(b, o.Index)
	b = append(b, id[:]...)
	b = append(b, byte(o.Kind))
	b = binary.BigEndian.AppendUint64(b, o.At)
	return appendString(b, o.Path)
}

func appendGrave(b []byte, path string, deleted uint64) []byte {
	b = append(b, tagGrave)
	b = appendString(b, path)
	return binary.BigEndian.AppendUint64(b, deleted)
}

func appendPast(b []byte, index uint64, digest [32]byte) []byte {
	b = append(b, tagPast)
	b = binary.BigEndian.AppendUint64(b, index)
	return append(b, digest[:]...)
}

func appendAccount(b []byte, a account) []byte {
	b = append(b, tagAccount)
	for _, n := range []uint64{a.refused, a.refusedAt, a.erasedAt} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// appendString needs a string shorter than 64 KiB.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}
