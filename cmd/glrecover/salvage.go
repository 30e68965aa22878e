package main

import (
	"fmt"
	"io"

	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/vlsstate"
)

// salvage reads and merges what is left of damaged or wrapped inputs, and says
// what is saved and what is gone. With the secret, only what its signature holds
// for is saved.
func (c *cli) salvage(from []string, secretPath string) (b *vlsstate.Backup, complete bool, err error) {
	var (
		inputs []*vlsstate.Backup
		secret *keychain.Secret
	)
	complete = true
	for _, file := range from {
		data, err := c.readAll(file)
		if err != nil {
			return nil, false, err
		}
		s, err := vlsstate.Salvage(data, nil)
		if err != nil {
			return nil, false, err
		}
		if secretPath != "" {
			if secret == nil {
				if secret, err = c.secretAt(secretPath, s.Backup); err != nil {
					return nil, false, err
				}
				defer secret.Wipe()
			}
			holds, err := proofs.SignatureHolds(secret)
			if err != nil {
				return nil, false, err
			}
			if s, err = vlsstate.Salvage(data, holds); err != nil {
				return nil, false, err
			}
		}
		if s.CreatedAt.IsZero() {
			s.CreatedAt = c.dated(file)
		}
		fmt.Fprintf(c.stderr, "glrecover: %s\n", plain(s.Summary()))
		const most = 20
		for _, p := range s.Lost[:min(len(s.Lost), most)] {
			fmt.Fprintf(c.stderr, "glrecover: gone: %s: %s\n", plain(p.Where()), plain(p.Reason))
		}
		if more := len(s.Lost) - most; more > 0 {
			fmt.Fprintf(c.stderr, "glrecover: gone: %s more\n", page.Thousands(uint64(more)))
		}
		if secretPath == "" {
			fmt.Fprintf(c.stderr, "glrecover: without --hsm-secret, nothing checks that a saved entry is what the signer wrote\n")
		}
		complete = complete && len(s.Lost) == 0 && !s.Truncated
		inputs = append(inputs, s.Backup)
	}
	b, err = vlsstate.Merge(inputs...)
	return b, complete, err
}

// secretAt reads the secret of a backup's node.
func (c *cli) secretAt(path string, b *vlsstate.Backup) (*keychain.Secret, error) {
	source, err := c.namedSecret(path, b.NodeID)
	if err != nil {
		return nil, err
	}
	defer source.Wipe()
	return c.secretFor(b, source, c.ask())
}

// readAll reads a file, or standard input for "-", whatever is in it, and not
// more than Salvage refuses.
func (c *cli) readAll(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(c.stdin, vlsstate.MaxSalvage+1))
	}
	f, err := vlsstate.Disk{}.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, vlsstate.MaxSalvage+1))
}
