// Command scribble commits to a bolt file, one transaction after the other, and prints the number of each that was
// acknowledged. Arguments: the file, and how many (0: until it is killed). It ends at the first error, and prints it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"go.etcd.io/bbolt"
)

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	db, err := bbolt.Open(os.Args[1], 0o600, &bbolt.Options{NoFreelistSync: true})
	for n := 1; err == nil && (count == 0 || n <= count); n++ {
		if err = db.Update(scribble); err == nil {
			err = db.View(func(tx *bbolt.Tx) error {
				_, err := fmt.Println(string(tx.Bucket([]byte("b")).Get([]byte("last"))))
				return err
			})
		}
	}
	if err != nil {
		fmt.Println(err)
	}
}

// scribble writes number n, one more than the last, under one of 20 keys.
func scribble(tx *bbolt.Tx) error {
	b, err := tx.CreateBucketIfNotExists([]byte("b"))
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(string(b.Get([]byte("last")))) // 0 at first
	n++
	if err := b.Put([]byte("last"), []byte(strconv.Itoa(n))); err != nil {
		return err
	}
	return b.Put(fmt.Appendf(nil, "key %d", n%20), bytes.Repeat(fmt.Appendf(nil, "%d,", n), 700))
}
