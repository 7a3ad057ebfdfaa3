//go:build !race

package leasemodel

const raceDetector = false
