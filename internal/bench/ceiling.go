package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const ceilingWord = "ceiling" // tells this program, run again, to be the ceiling

// serveCeiling answers every request with as many bytes as its query asks for, until standard input
// ends.
func serveCeiling(cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: ceiling:", err)
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: ceiling:", err)
		os.Exit(1)
	}
	server := &http.Server{
		Handler:   http.HandlerFunc(answerBytes),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}},
	}
	go server.ServeTLS(listener, "", "")
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin) // whoever started this holds the other end, so it never outlives them
}

var filling = []byte(strings.Repeat("x", 64<<10))

func answerBytes(w http.ResponseWriter, r *http.Request) {
	_, after, _ := strings.Cut(r.URL.RawQuery, sizeParameter)
	size, err := strconv.Atoi(after)
	if err != nil || size < 0 || size > len(filling) {
		http.Error(w, "how many bytes?", http.StatusBadRequest)
		return
	}
	io.Copy(io.Discard, r.Body)
	h := w.Header()
	h["Content-Type"] = []string{"application/json; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(size)}
	w.Write(filling[:size])
}

// sizeParameter is the end of a request's target at the ceiling, followed by the number of bytes to
// answer.
const sizeParameter = "&bytes="

// startCeiling runs the ceiling with a bed's API certificate, as another name of the same host.
func startCeiling(h *harness, b *bed) (address, int) {
	program, err := os.Executable()
	h.must(err)
	cmd := exec.Command(program, ceilingWord, b.Dir+"/tls.pem", b.Dir+"/tls-key.pem")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	h.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	h.must(err)
	return address{dial: strings.TrimSpace(line), host: hostOf(b.VaultURL(benchVault)),
		tls: b.trust(h)}, cmd.Process.Pid
}
