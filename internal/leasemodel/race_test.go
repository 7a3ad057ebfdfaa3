//go:build race

package leasemodel

// raceDetector slows a search down some twentyfold, and there is one goroutine to watch.
const raceDetector = true
