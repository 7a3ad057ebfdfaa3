package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/httpapi"
)

func openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document of both planes, as a node has it at /openapi.json",
		Args:  console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := httpapi.OpenAPI(version)
			if err != nil {
				return err
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, text, "", "  "); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), &indented)
			return err
		},
	}
}
