// Command glr-large writes a signer backup of N used channels, for benchmarks
// (integration/large), and the secret that it belongs to:
//
//	glr-large N BACKUP SECRET
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/glrecover/glrecover/integration/large"
	"github.com/glrecover/glrecover/vlsstate"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "glr-large:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: glr-large N BACKUP SECRET")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of channels", args[0])
	}
	b, err := large.Backup(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[2], large.Secret[:], 0o400); err != nil {
		return err
	}
	return vlsstate.WriteFile(args[1], b, vlsstate.WriteOptions{ReplaceNewer: true})
}
