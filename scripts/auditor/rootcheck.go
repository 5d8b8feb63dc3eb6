// Check a log with Go's own golang.org/x/mod/sumdb: rootcheck VKEY CHECKPOINT... < bundle
// stdin: the leaves of all events as C2SP's entry bundles have them, made from what is served now.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "NOT PROVED:", err)
		os.Exit(1)
	}
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	must(err)
	leaves, err := io.ReadAll(os.Stdin)
	must(err)
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	count := int64(0)
	for ; len(leaves) > 0; count++ {
		end := 2 + int(binary.BigEndian.Uint16(leaves))
		stored, err := tlog.StoredHashes(count, leaves[2:end], read)
		must(err)
		hashes, leaves = append(hashes, stored...), leaves[end:]
	}
	for _, path := range os.Args[2:] {
		signed, err := os.ReadFile(path)
		must(err)
		opened, err := note.Open(signed, note.VerifierList(verifier))
		must(err)
		lines := strings.Split(opened.Text, "\n")
		size, err := strconv.ParseInt(lines[1], 10, 64)
		must(err)
		if lines[0] != verifier.Name() || size > count {
			must(fmt.Errorf("%s: %d events of %s were signed, %d are there", path, size, lines[0], count))
		}
		root, err := tlog.TreeHash(size, read)
		must(err)
		if root.String() != lines[2] {
			must(fmt.Errorf("%s: the first %d events are not those that were signed", path, size))
		}
	}
	fmt.Println("proved:", count, "events")
}
