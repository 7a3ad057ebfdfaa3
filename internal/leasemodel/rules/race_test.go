//go:build race

package rules

// raceDetector would not watch the programs that are built here.
const raceDetector = true
