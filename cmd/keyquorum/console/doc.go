// Package console is what all commands of keyquorum share: groups of commands and their arguments,
// tables and formats, times, exit codes, the terminal. It knows no command, and talks to no node.
package console
