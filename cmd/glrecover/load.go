package main

import "github.com/glrecover/glrecover/vlsstate"

// load reads the signer backup in a file, or on standard input for "-". A dump
// of vlsd's storage, and several inputs one after the other, do as well.
func (c *cli) load(file string) (*vlsstate.Backup, error) {
	if file == "-" {
		return vlsstate.ReadAny(c.stdin)
	}
	return vlsstate.ReadAnyFile(file)
}
