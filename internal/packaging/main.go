// Command packaging makes the deb and the rpm of a program that was built before. It is a module of
// its own, so that what nfpm needs is not what Keyquorum needs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// formats are the kinds of packages.
var formats = []string{"deb", "rpm"}

func main() {
	binary := flag.String("binary", "../../bin/keyquorum", "the program")
	version := flag.String("version", "", "its version, as in 0.1.0")
	arch := flag.String("arch", "amd64", "what it was built for, in Go's words")
	out := flag.String("out", "../../bin", "folder for the packages")
	flag.Parse()
	files, err := build(*binary, *version, *arch, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
	for _, file := range files {
		fmt.Println(file)
	}
}

// build writes a package of each format into a folder. nfpm.yaml says what is in it, by paths from
// this folder. The time of the files is that of SOURCE_DATE_EPOCH.
func build(binary, version, arch, out string) (files []string, err error) {
	given := map[string]string{"BINARY": binary, "VERSION": version, "ARCH": arch}
	for _, format := range formats {
		config, err := nfpm.ParseFileWithEnvMapping("nfpm.yaml",
			func(name string) string { return given[name] })
		if err != nil {
			return nil, err
		}
		file, err := write(config, format, out)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", format, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// write writes one package, under the name that its format has for it.
func write(config nfpm.Config, format, out string) (name string, err error) {
	info, err := config.Get(format)
	if err != nil {
		return "", err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return "", err
	}
	info = nfpm.WithDefaults(info)
	if err := nfpm.Validate(info); err != nil {
		return "", err
	}
	name = filepath.Join(out, packager.ConventionalFileName(info))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	return name, errors.Join(packager.Package(info, f), f.Close())
}
