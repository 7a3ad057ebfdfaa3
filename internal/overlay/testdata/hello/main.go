// Command hello is edited by the tests of package overlay.
package main

import (
	"fmt"

	"go.etcd.io/bbolt"
)

func main() {
	fmt.Println("hello", bbolt.DefaultOptions != nil)
}
