package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecretLine bounds what is read of something that is typed or piped as one line, in bytes.
const maxSecretLine = 64 << 10

// Ask reads a line that nobody is to see: from a terminal without echo, after a prompt; else the
// first line of standard input. The echo ends before the prompt is shown, since somebody may paste
// at once.
func Ask(in *os.File, people io.Writer, prompt string) (string, error) {
	if IsTerminal(in) {
		restore := hideInput(in)
		defer func() { restore(); fmt.Fprintln(people) }()
		fmt.Fprintf(people, "%s (will be hidden): ", prompt)
	}
	line, err := readLine(in)
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", fmt.Errorf("no %s was given", strings.ToLower(prompt))
	}
	return line, nil
}

// readLine reads a byte at a time, so that what follows the line stays for whoever reads next.
func readLine(in io.Reader) (string, error) {
	var line bytes.Buffer
	for one := make([]byte, 1); line.Len() < maxSecretLine; {
		n, err := in.Read(one)
		if n > 0 && one[0] == '\n' || errors.Is(err, io.EOF) {
			return strings.TrimSuffix(line.String(), "\r"), nil
		}
		if err != nil {
			return "", err
		}
		line.Write(one[:n])
	}
	return "", fmt.Errorf("a line of more than %d bytes was given", maxSecretLine)
}

// ReadInput reads a file, or standard input for "-", and refuses more than most bytes.
func ReadInput(in io.Reader, file string, most int64) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, fmt.Errorf(
			"%s holds more than %d bytes, which is more than is taken",
			inputName(file),
			most,
		)
	}
	return b, err
}

func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// WriteOutput writes to a new file that only its owner reads, or to out for "-". A file that is
// there stays as it is.
func WriteOutput(out io.Writer, file string, b []byte) error {
	if file == "-" {
		_, err := out.Write(b)
		return err
	}
	made, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: name another file, or remove it", file)
	}
	if err != nil {
		return err
	}
	_, err = made.Write(b)
	return errors.Join(err, made.Close())
}
