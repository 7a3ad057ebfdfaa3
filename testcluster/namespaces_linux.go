package testcluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespaces runs n processes of the unmodified program, each in a network namespace of its own,
// joined by one more that routes between them: what a partition loses is lost by the kernel, on
// every port. The test asks from the router. It takes root and iproute2; where namespaces can't be
// made the test is skipped, and says why. The machine's own network is left as it is. flags may
// give the program of a node more flags.
func Namespaces(t testing.TB, n int, flags ...func(i int) []string) *Cluster {
	t.Helper()
	if err := tryNamespaces(); err != nil {
		t.Skipf("a network that really loses packets takes network namespaces, and: %v", err)
	}
	return newProcesses(t, n, Binary, namespaceHost, func(c *Cluster, p *processes) {
		s, err := newNamespaces()
		c.must(err)
		c.links, p.around, p.called, p.flags = s, s.around, "processes in namespaces", flags
	})
}

// tryNamespaces makes what may be missing.
func tryNamespaces() error {
	if _, err := exec.LookPath("ip"); err != nil {
		return err
	}
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	defer ns.file.Close()
	return ns.ip("link add type veth")
}

// namespaceHost is node i's address. The router's in the same network of four is one less. They
// mean nothing outside.
func namespaceHost(i int) string { return fmt.Sprintf("10.77.%d.2", i) }

// namespaces are the networks of nodes, and the router in their middle.
type namespaces struct {
	router *namespace
	nodes  [maxSize]*namespace
	rules  map[string]bool // of the router, beyond those that it was made with
	detour *detour         // through which packets go that are to be late
	noTun  error           // why there is no detour
}

func newNamespaces() (*namespaces, error) {
	s := &namespaces{rules: map[string]bool{}}
	if err := s.build(); err != nil {
		s.close()
		return nil, err
	}
	s.detour, s.noTun = newDetour(s.router)
	return s, nil
}

func (s *namespaces) build() (err error) {
	if s.router, err = newNamespace(); err != nil {
		return err
	}
	if err := s.router.do(routePackets); err != nil {
		return err
	}
	for i := range s.nodes {
		if s.nodes[i], err = newNamespace(); err != nil {
			return err
		}
		if err := s.connect(i); err != nil {
			return err
		}
	}
	return nil
}

// routePackets makes the namespace that it runs in forward. With rp_filter the kernel would drop
// what comes from a node to which nothing may be sent, and one way would be both.
func routePackets() error {
	for name, value := range map[string]string{"ip_forward": "1", "conf/all/rp_filter": "0",
		"conf/default/rp_filter": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// connect lays a cable between node i and the router.
func (s *namespaces) connect(i int) error {
	gate := fmt.Sprintf("10.77.%d.1", i)
	cable := fmt.Sprint("node", i)
	return errors.Join(
		s.router.ipWith(s.nodes[i].file,
			"link add name "+cable+" type veth peer name eth0 netns /proc/self/fd/3",
			"addr add "+gate+"/30 dev "+cable,
			"link set "+cable+" up"),
		s.nodes[i].ip(
			"link set lo up",
			"addr add "+namespaceHost(i)+"/30 dev eth0",
			"link set eth0 up",
			"route add default via "+gate),
	)
}

// around does something in the network of node i, or in the router's for outside.
func (s *namespaces) around(i int, do func() error) error {
	if i == outside {
		return s.router.do(do)
	}
	return s.nodes[i].do(do)
}

func (s *namespaces) hold(from, to int) error {
	return s.rule(fmt.Sprintf("priority 100 from %s to %s blackhole", namespaceHost(from),
		namespaceHost(to)))
}

// shape sends what from sends to to through the detour. There it comes in again from another side,
// and goes on.
func (s *namespaces) shape(from, to int, l Link) error {
	s.detour.shape(from, to, l)
	return s.rule(fmt.Sprintf("priority 200 iif node%d to %s table %d", from, namespaceHost(to),
		detourTable))
}

func (s *namespaces) unshapable() error { return s.noTun }

func (s *namespaces) passed(from, to int) int64 { return s.detour.passed(from, to) }

func (s *namespaces) rule(r string) error {
	if s.rules[r] {
		return nil
	}
	s.rules[r] = true
	return s.router.ip("rule add " + r)
}

func (s *namespaces) heal() error {
	var commands []string
	for r := range s.rules {
		commands = append(commands, "rule del "+r)
	}
	clear(s.rules)
	return s.router.ip(commands...)
}

// close lets the kernel take the networks away: nothing else holds them when the processes in them
// are gone.
func (s *namespaces) close() {
	if s.detour != nil {
		s.detour.close()
	}
	for _, ns := range append(s.nodes[:], s.router) {
		if ns != nil {
			ns.file.Close()
		}
	}
}

// A namespace is a network that has no name, only a file that keeps it, so that nothing of it
// outlives the test.
type namespace struct{ file *os.File }

const ownNetwork = "/proc/thread-self/ns/net"

func newNamespace() (*namespace, error) {
	ns := &namespace{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		ns.file, err = os.Open(ownNetwork)
		return err
	})
	return ns, err
}

// do runs do in the namespace: sockets that it makes and processes that it starts stay there.
func (ns *namespace) do(do func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return do()
	})
}

// onThread runs do on a thread whose network do may change. A thread that can't be brought back
// ends with its goroutine.
func onThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(ownNetwork)
		if err == nil {
			err = do()
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			home.Close()
		}
		done <- err
	}()
	return <-done
}

// ip has iproute2 carry out commands in the namespace.
func (ns *namespace) ip(commands ...string) error { return ns.ipWith(nil, commands...) }

// ipWith hands a file over, as descriptor 3.
func (ns *namespace) ipWith(file *os.File, commands ...string) error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n"))
	cmd.ExtraFiles = []*os.File{file}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.do(cmd.Run); err != nil {
		return fmt.Errorf("ip %q: %w: %s", commands, err, &out)
	}
	return nil
}
