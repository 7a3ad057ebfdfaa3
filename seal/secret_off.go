//go:build !(goexperiment.runtimesecret && linux && (amd64 || arm64))

package seal

// Do runs f. This build can't erase what f leaves behind; see [Protected].
func Do(f func()) { f() }

// Protected says whether [Do] erases. It is false in this build, and the program warns of it at
// start.
func Protected() bool { return false }

// erase does nothing: a collection would free the dropped keys here, not overwrite them.
func erase() {}
