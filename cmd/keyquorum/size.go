package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A size is a number of bytes, as a flag: 512MiB, 2GiB, or the plain number.
type size uint64

var sizeUnits = []struct {
	name  string
	bytes uint64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (s *size) Type() string { return "size" }

// String is the shortest way to write it.
func (s *size) String() string {
	for _, u := range sizeUnits {
		if n := uint64(*s); n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatUint(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatUint(uint64(*s), 10)
}

func (s *size) Set(text string) error {
	number, unit := text, uint64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = n, u.bytes
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n*unit/unit != n {
		return fmt.Errorf("a size is a number of bytes, or of KiB, MiB or GiB, as in 256MiB")
	}
	*s = size(n * unit)
	return nil
}
