package testcluster

import (
	"net"
	"time"
)

// What stands behind the verbs of faults.go for nodes in this process.

// bubbled nodes can stand still. Those over real sockets would go on talking.
type bubbled struct {
	*inside
	network *Network
}

func (b bubbled) pause(i int) {
	b.troubles[i].pause()
	b.network.Pause(nodeName(i))
}

func (b bubbled) resume(i int) {
	b.troubles[i].resume()
	b.network.Resume(nodeName(i))
}

// Applications and operators go by names, which follow a node, so its API stays where it is for
// them. Members go by addresses.

func (l *inside) address(i int) string {
	return net.JoinHostPort(l.place.moved(i, int(l.moves[i].Load())), clusterPort)
}

func (l *inside) move(i int) error {
	l.moves[i].Add(1)
	return nil
}

// The faults of nodes in this process.

func (l *inside) fillDisk(i int) error {
	l.troubles[i].change(func() { l.troubles[i].disk = errFull })
	return nil
}

func (l *inside) failSync(i int) error {
	l.troubles[i].change(func() { l.troubles[i].sync = errIO })
	return nil
}

func (l *inside) hangDisk(i int) error {
	t := &l.troubles[i]
	t.change(func() {
		if t.hung == nil && !t.dead {
			t.hung = make(chan struct{})
		}
	})
	return nil
}

func (l *inside) failUsageLog(i int) {
	l.troubles[i].change(func() { l.troubles[i].usage = errFull })
}

func (l *inside) skewClock(i int, by time.Duration) error {
	l.troubles[i].change(func() { l.troubles[i].skew = by })
	return nil
}

func (l *inside) driftClock(i int, rate float64) error {
	t := &l.troubles[i]
	t.change(func() { t.drift.change(time.Since(boot), rate) })
	return nil
}

func (l *inside) mend(i int) error {
	t := &l.troubles[i]
	t.change(func() { t.drift.change(time.Since(boot), 1) })
	t.change(func() { t.disk, t.sync, t.usage, t.skew = nil, nil, nil, 0 })
	return l.unhangDisk(i)
}

func (l *inside) unhangDisk(i int) error {
	l.troubles[i].change(l.troubles[i].unhang)
	return nil
}
