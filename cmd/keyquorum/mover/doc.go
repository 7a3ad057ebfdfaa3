// Package mover is the command import: it moves secrets, and the keys that come out, from another
// vault into one of ours. A source says what there is; a plan says what of it is to be done, from
// what the destination holds; then that is done. What was done before stands in tags at the
// destination and nowhere else, so a move can be stopped at any point and begun again. Values pass
// through memory one version at a time; nothing prints them, and none is written to a disk.
package mover
