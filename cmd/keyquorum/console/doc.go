// Package console is what all commands of keyquorum share towards whoever typed them: groups of
// commands and their arguments, tables and formats, times, exit codes, the terminal. It knows no
// command, and speaks to no node.
package console
