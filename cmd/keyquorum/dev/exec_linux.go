package dev

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
)

// insideNamespace starts ourselves as `dev inside`, in new user and mount namespaces, as the same
// user, and with the one capability there that mounting a file needs.
func (f Folder) insideNamespace(line string, args []string) (*exec.Cmd, error) {
	hosts, err := f.writeHosts(line)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := onOurTerminal(exec.Command(self,
		append([]string{"dev", "inside", hosts, "--"}, args...)...))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN},
	}
	return cmd, cmd.Start()
}

// insideCommand is the second half of `dev exec`: it lays the hosts file over /etc/hosts and
// becomes the command.
func insideCommand() *cobra.Command {
	return &cobra.Command{Use: "inside HOSTS -- COMMAND", Hidden: true,
		Args: console.Arguments(2, console.Any),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mountHosts(args[0]); err != nil {
				fmt.Fprintln(os.Stderr, noNamespace(err, lastLine(args[0])))
			}
			program, err := exec.LookPath(args[1])
			if err != nil {
				return console.Exit(127, err)
			}
			_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
				0) // the command needs none
			return syscall.Exec(program, args[1:], os.Environ())
		}}
}

func mountHosts(hosts string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount(hosts, "/etc/hosts", "", unix.MS_BIND, "")
}
