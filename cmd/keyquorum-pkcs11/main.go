// Command keyquorum-pkcs11 uses a key in a PKCS#11 token for a Keyquorum node. A token's library is
// in C, and the node is built without C: so the library is loaded here, in a process that lives for
// one operation. This is a Go module of its own, so that the node's build needs no C compiler.
//
// A node runs "keyquorum-pkcs11 use", writes one request to its standard input, and reads one
// answer from its standard output (protocol.go). People run "keyquorum-pkcs11 make-key".
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
)

const usage = `Use a key in a PKCS#11 token for a Keyquorum node.

  keyquorum-pkcs11 make-key --module FILE --token LABEL --object LABEL --pin-file FILE
      Make an AES key on the token, which never leaves it, and show the line of a
      node's configuration that names it.
  keyquorum-pkcs11 use
      What a node runs: one request on standard input, one answer on standard output.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "keyquorum-pkcs11:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if err := harden(); err != nil {
		return err
	}
	switch {
	case len(args) == 1 && args[0] == "use":
		return use()
	case len(args) > 1 && args[0] == "make-key":
		return makeKey(args[1:])
	}
	fmt.Fprint(os.Stderr, usage)
	return errors.New("it takes use, or make-key with its flags")
}

// harden keeps the PIN and the key that is wrapped out of core dumps, and from debuggers.
func harden() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	if errno != 0 {
		return fmt.Errorf("make the process non-dumpable: %w", errno)
	}
	return nil
}

// use answers one request. What the module prints is lost: a line of it in the answer would spoil
// that, and nobody knows what secrets a module has in its complaints.
func use() error {
	q, err := readRequest(os.Stdin)
	if err != nil {
		return err
	}
	defer clear(q.Data)
	answers, err := silence()
	if err != nil {
		return err
	}
	data, err := q.serve()
	defer clear(data)
	return writeAnswer(answers, data, err)
}

// silence gives standard output and standard error to nobody, and returns what was standard output.
func silence() (*os.File, error) {
	kept, err := syscall.Dup(syscall.Stdout)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(kept)
	nobody, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer nobody.Close()
	for _, fd := range []int{syscall.Stdout, syscall.Stderr} {
		if err := syscall.Dup3(int(nobody.Fd()), fd, 0); err != nil {
			return nil, err
		}
	}
	return os.NewFile(uintptr(kept), "answers"), nil
}

// makeKey makes a key and shows how a node names it.
func makeKey(args []string) error {
	var w where
	flags := flag.NewFlagSet("make-key", flag.ContinueOnError)
	flags.StringVar(&w.Library, "module", "", "the token's PKCS#11 library, a `file`")
	flags.StringVar(&w.Token, "token", "", "`label` of the token")
	flags.StringVar(&w.Serial, "serial", "", "serial `number` of the token, beside its label or alone")
	flags.StringVar(&w.Object, "object", "", "`label` of the key")
	flags.StringVar(&w.PINFile, "pin-file", "", "`file` with the PIN of the token's user")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0 || w.Library == "" || w.Object == "" || w.PINFile == "" ||
		w.Token == "" && w.Serial == "":
		return errors.New("make-key needs --module, --token or --serial, --object and --pin-file")
	}
	t, err := open(w, writing)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.generate(w.Object); err != nil {
		return err
	}
	fmt.Printf("The token has made an AES key of 256 bits that never leaves it. A node names it by\n"+
		"\n  seal_wrapper = [\"hsm=%s\"]\n", w.line())
	return nil
}
