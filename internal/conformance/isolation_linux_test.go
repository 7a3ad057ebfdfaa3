package conformance_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What the environment says. make conformance sets the first; the others we tell the processes that
// we start of ourselves.
const (
	asked     = "KEYQUORUM_CONFORMANCE"          // the suites are to be run
	programs  = "KEYQUORUM_CONFORMANCE_PROGRAMS" // they are built, in this folder, and we are alone
	withHosts = "KEYQUORUM_CONFORMANCE_HOSTS"    // become the command of the arguments, with this hosts file
)

func TestMain(m *testing.M) {
	code, err := begin(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func begin(m *testing.M) (code int, err error) {
	if hosts := os.Getenv(withHosts); hosts != "" {
		return 1, becomeCommand(hosts)
	}
	if os.Getenv(asked) != "" {
		if os.Getenv(programs) == "" {
			return buildAndIsolate()
		}
		if err := raiseLoopback(); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

// buildAndIsolate builds what there is no registry for inside, and runs these tests again there.
func buildAndIsolate() (int, error) {
	runtime.LockOSThread() // what is isolated ends with the thread that started it
	dir, err := os.MkdirTemp("", "keyquorum-conformance-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 1, err
	}
	cmd := isolated(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), programs+"="+dir)
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("the suites run in a network of their own, which takes unprivileged user namespaces, and this system gives none: %w",
			err)
	}
	_ = cmd.Wait() // the exit code says it
	return cmd.ProcessState.ExitCode(), nil
}

// isolated is a command in new user, network and mount namespaces, as the same user, and with the
// two capabilities there that raising the loopback and laying a file over another take.
func isolated(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN},
		Pdeathsig:   syscall.SIGKILL,
	}
	return cmd
}

// raiseLoopback brings up the one interface that a new network has.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("raising the loopback of the suites' network: %w", err)
	}
	return nil
}

// mustBeAlone fails the test where a suite that lost its way could reach anybody.
func mustBeAlone(t *testing.T) {
	all, err := net.Interfaces()
	must(t, err)
	if len(all) != 1 || all[0].Flags&net.FlagLoopback == 0 {
		t.Fatalf("this network has more than its loopback, so no suite is run in it: %v", all)
	}
}

// becomeCommand lays the hosts file over /etc/hosts, in a mount namespace of this process's own,
// and becomes the command of its arguments.
func becomeCommand(hosts string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount(hosts, "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("laying a hosts file over /etc/hosts: %w", err)
	}
	return unix.Exec(os.Args[1], os.Args[1:], os.Environ())
}
