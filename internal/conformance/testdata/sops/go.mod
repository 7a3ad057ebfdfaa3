// Names the version of the program sops that make conformance builds, with what its own go.mod
// names. Nothing here imports it, so `go mod tidy` would forget it: `go get` makes a newer one
// of it.
module sops

go 1.26.0

require github.com/getsops/sops/v3 v3.13.3
