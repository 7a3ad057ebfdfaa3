// Package terminal holds, in its tests, what the program looks like to whoever sits at a terminal
// of 80 columns and 24 rows: the built program in a pseudo-terminal. It has no code of its own.
package terminal
