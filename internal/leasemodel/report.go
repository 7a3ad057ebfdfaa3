package main

import "fmt"

// String is the result in a few words.
func (r Result) String() string {
	switch {
	case r.Schedule != nil:
		return fmt.Sprintf("%d steps", len(r.Schedule))
	case r.Complete:
		return "complete, no wrong answer"
	}
	return "too large, none found so far"
}
