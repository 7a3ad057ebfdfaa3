package conformance_test

import (
	"bufio"
	"bytes"
	"os/exec"
	"syscall"
	"testing"
)

// killed is the row of the program that lives on while nodes are killed.
var killed = row{lives, "while the other nodes are killed and come back"}

const oneRound = "one round"

// live runs the program through a node while nothing happens.
func (b *bed) live(t *testing.T, n node, r *report) {
	t.Run(oneRound, func(t *testing.T) {
		all := b.seated(t, n, r, lives, oneRound, func() []outcome {
			output, err := b.command(n, built(lives), b.VaultURL(n.vault)).CombinedOutput()
			return []outcome{exitOutcome(oneRound, string(output), err)}
		})
		judge(t, oneRound, all)
	})
}

func exitOutcome(test, output string, err error) outcome {
	if err != nil {
		return outcome{test, "FAIL", output + err.Error()}
	}
	return outcome{test, "PASS", output}
}

// liveOn runs the program through a follower, over and over, while the two other nodes are killed
// with SIGKILL and come back, the leader last. No error may reach the program through the SDK's own
// retries.
func (b *bed) liveOn(t *testing.T, r *report) {
	leader, follower, other := b.nodes[0], b.nodes[1], b.nodes[2]
	b.seat(leader)
	all := b.watched(t, follower, r, killed.suite, killed.test, func() []outcome {
		l := startLife(t, b.command(follower, built(lives), "-rounds=0", b.VaultURL(follower.vault)))
		lives := l.rounds(1)
		for _, victim := range []node{other, leader} {
			b.Kill(victim.number)
			lives = lives && l.rounds(2)
			b.Start(victim.number)
			b.Unseal(victim.number)
			lives = lives && l.rounds(2)
		}
		return []outcome{l.end()}
	})
	judge(t, killed.test, all)
}

// A life is the program while it runs. It prints a line for each round that it has brought to its
// end.
type life struct {
	cmd   *exec.Cmd
	lines chan string // closed when the program has no more to say
	said  bytes.Buffer
}

func startLife(t *testing.T, cmd *exec.Cmd) *life {
	l := &life{cmd: cmd, lines: make(chan string, 1000)}
	cmd.Stderr = &l.said
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	go func() { // ends with the program
		defer close(l.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l.lines <- lines.Text()
		}
	}()
	return l
}

// rounds waits until n more rounds have ended, of which the first has perhaps begun before. False:
// the program has ended.
func (l *life) rounds(n int) bool {
	for len(l.lines) > 0 {
		<-l.lines
	}
	for range n {
		if _, more := <-l.lines; !more {
			return false
		}
	}
	return true
}

// end has the program finish its round.
func (l *life) end() outcome {
	_ = l.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	for range l.lines {
	}
	err := l.cmd.Wait()
	return exitOutcome(killed.test, l.said.String(), err)
}
