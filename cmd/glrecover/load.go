package main

import (
	"github.com/glrecover/glrecover/vlsstate"
)

// load reads the signer backup in a file, or on standard input for "-".
func (c *cli) load(file string) (*vlsstate.Backup, error) {
	if file == "-" {
		return vlsstate.Read(c.stdin)
	}
	return vlsstate.ReadFile(file)
}
