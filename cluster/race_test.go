//go:build race

package cluster_test

// raceDetector slows a search down some twentyfold, and there is one goroutine to watch.
const raceDetector = true
