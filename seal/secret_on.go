//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package seal

import (
	"runtime"
	"runtime/secret"
)

// Do runs f so that what it leaves in registers and stack is erased before Do returns, and what it
// leaves in the heap when the collector finds it unreachable. It does not reach goroutines that f
// starts.
//
// In a build without GOEXPERIMENT=runtimesecret, or on another platform than Linux on amd64 and
// arm64, it only runs f: see [Protected].
func Do(f func()) { secret.Do(f) }

// Protected says whether [Do] erases.
func Protected() bool { return true }

// erase has the collector erase what was made inside Do and dropped since. The first collection
// finds it unreachable; the second finishes the sweep of the first and takes what was only held by
// it.
func erase() {
	runtime.GC()
	runtime.GC()
}
