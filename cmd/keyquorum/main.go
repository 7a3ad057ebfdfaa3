// Command keyquorum is the one binary: server, dev cluster, operator and user commands.
package main

func main() {}
