package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/internal/release"
	"keyquorum/node"
)

// version is set by the linker (Makefile). Without that it is the one that is being made.
var version = "0.1.0-dev"

func versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Say which build this is",
		Args: console.Arguments(0, 0)}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		own := release.Own(version)
		info := struct {
			Version   string `json:"version"`
			Go        string `json:"go"`
			Platform  string `json:"platform"`
			Protected bool   `json:"erases_key_material"`
			Oldest    int    `json:"oldest_level"` // of a cluster that a node of this build joins
			Newest    int    `json:"newest_level"`
		}{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, node.Protected(),
			int(own.Oldest), int(own.Newest)}
		return format.Print(c, info, console.Pairs(
			"Version", info.Version, "Go", info.Go, "Platform", info.Platform, "Erases key material",
			info.Protected, "Cluster levels", fmt.Sprintf("%d to %d", info.Oldest, info.Newest)))
	}
	return c
}
