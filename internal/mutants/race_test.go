//go:build race

package main

// raceDetector is for what other processes build and run without it.
const raceDetector = true
