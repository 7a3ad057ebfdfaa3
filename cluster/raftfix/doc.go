// Package raftfix mends hashicorp/raft.
package raftfix
