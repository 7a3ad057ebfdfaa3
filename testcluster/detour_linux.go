package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A detour is the way of packets that are to be late or lost: out of a router by a device that is a
// file of ours, and in again. The kernel has the same as netem, where it has it.
type detour struct {
	device *os.File
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	dice  *rand.Rand
	lines map[[2]int]*line // by nodes
}

// A line is one direction between two nodes.
type line struct {
	link    Link
	passed  int64       // packets
	free    time.Time   // when what was taken so far is sent
	waiting chan parcel // a queue like a router's: what finds no room is lost
}

// A parcel is a packet and when it arrives.
type parcel struct {
	packet []byte
	due    time.Time
}

const (
	detourTable = 77 // of the router's routes
	maxWaiting  = 1000
	maxPacket   = 1 << 16
)

// newDetour gives a router a device for it, and a table of routes in which everything goes there.
func newDetour(router *namespace) (*detour, error) {
	d := &detour{dice: rand.New(rand.NewPCG(1, 1)), lines: map[[2]int]*line{}}
	if err := router.do(d.open); err != nil {
		return nil, fmt.Errorf("a packet is late in a TUN device: %w", err)
	}
	if err := router.ip("link set detour up",
		fmt.Sprintf("route add default dev detour table %d", detourTable)); err != nil {
		d.device.Close()
		return nil, err
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.wg.Go(d.take)
	return d, nil
}

// open makes the device. The descriptor is non-blocking, so that Close ends a Read.
func (d *detour) open() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	request, err := unix.NewIfreq("detour")
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	d.device = os.NewFile(uintptr(fd), "detour")
	return nil
}

func (d *detour) shape(from, to int, l Link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if way := d.lines[[2]int{from, to}]; way != nil {
		way.link = l
		return
	}
	way := &line{link: l, waiting: make(chan parcel, maxWaiting)}
	d.lines[[2]int{from, to}] = way
	d.wg.Go(func() { d.deliver(way) })
}

// take reads what the router sends this way. It ends with the device.
func (d *detour) take() {
	b := make([]byte, maxPacket)
	for {
		n, err := d.device.Read(b)
		if err != nil {
			return
		}
		if n >= 20 && b[0]>>4 == 4 {
			d.queue(bytes.Clone(b[:n]))
		}
	}
}

// queue puts an IPv4 packet into its line. The third byte of an address is the node.
func (d *detour) queue(packet []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	way := d.lines[[2]int{int(packet[14]), int(packet[18])}]
	if way == nil || d.dice.Float64() < way.link.Loss {
		return
	}
	if now := time.Now(); way.free.Before(now) {
		way.free = now
	}
	free := way.free
	if way.link.Rate > 0 {
		free = free.Add(time.Duration(len(packet)) * time.Second / time.Duration(way.link.Rate))
	}
	select {
	case way.waiting <- parcel{packet, free.Add(way.link.Delay)}:
		way.free = free
		way.passed++
	default:
	}
}

// deliver lets packets arrive one after the other.
func (d *detour) deliver(way *line) {
	for {
		select {
		case p := <-way.waiting:
			time.Sleep(time.Until(p.due))
			_, _ = d.device.Write(p.packet) // what the router does not take is lost, as anywhere
		case <-d.ctx.Done():
			return
		}
	}
}

func (d *detour) close() {
	d.cancel()
	d.device.Close()
	d.wg.Wait()
}

// passed is how many packets have gone that way.
func (d *detour) passed(from, to int) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if way := d.lines[[2]int{from, to}]; way != nil {
		return way.passed
	}
	return 0
}
