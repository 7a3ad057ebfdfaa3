// Command one searches one world of the lease model: a leasemodel.Setup comes in as JSON, a
// leasemodel.Result goes out. It is small because internal/leasemodel/rules builds it again for
// each rule that it takes out.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"keyquorum/internal/leasemodel"
)

func main() {
	if err := search(); err != nil {
		fmt.Fprintln(os.Stderr, "one:", err)
		os.Exit(1)
	}
}

func search() error {
	var setup leasemodel.Setup
	if err := json.NewDecoder(os.Stdin).Decode(&setup); err != nil {
		return err
	}
	found := leasemodel.New(setup).Search(3_000_000, func(int, int) {})
	return json.NewEncoder(os.Stdout).Encode(found)
}
