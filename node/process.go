package node

import "keyquorum/seal"

// Harden switches core dumps off for this process and makes it non-dumpable; a program that runs a node calls it once,
// before Open. It stands here so that nothing above node has to import seal.
func Harden() error { return seal.Harden() }

// Protected says whether this build erases what keys leave behind in memory (decision 23).
func Protected() bool { return seal.Protected() }
