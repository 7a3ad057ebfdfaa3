// Package console is what all commands of keyquorum share towards whoever typed them: groups of
// commands and their arguments, help and completion, what is said of mistakes, tables and formats,
// prose, questions, prompts and progress, times, exit codes, the terminal. It knows no command, and
// speaks to no node.
package console
