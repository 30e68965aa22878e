package main

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/vlsstate"
)

const socketHelp = `  --lightning-dir DIR, --network NAME, --rpc-file FILE
      where lightningd's RPC socket is, as with lightning-cli; by default
      ~/.lightning, or where common home-node systems keep it, and the network that
      runs there
`

// networks are lightningd's names of them; the first is its default.
var networks = []string{"bitcoin", "testnet", "testnet4", "signet", "regtest"}

// nodePlace says where a running lightningd is, in the words of lightning-cli.
type nodePlace struct {
	dir, network, rpcFile string
	// home is the user's home directory.
	home string
}

const defaultRPCFile = "lightning-rpc"

// nodeFlags adds the flags of lightning-cli to a command's.
func nodeFlags(f *flag.FlagSet) *nodePlace {
	p := &nodePlace{home: os.Getenv("HOME")}
	f.StringVar(&p.dir, "lightning-dir", "", "")
	f.StringVar(&p.network, "network", "", "")
	f.StringVar(&p.rpcFile, "rpc-file", defaultRPCFile, "")
	for _, name := range append(slices.Clone(networks), "mainnet") {
		f.BoolFunc(name, "", func(string) error {
			p.network = strings.Replace(name, "mainnet", "bitcoin", 1)
			return nil
		})
	}
	return p
}

// dirs are the lightning directories to look into: the one that was named, else
// lightningd's default and where home nodes have theirs.
func (p *nodePlace) dirs() []string {
	if p.dir != "" {
		return []string{p.dir}
	}
	var dirs []string
	for _, dir := range []string{
		filepath.Join(p.home, ".lightning"),
		"/root/.lightning",
		"/home/bitcoin/.lightning",
		"/var/lib/lightning",
		"/var/lib/lightningd",
		filepath.Join(p.home, "umbrel/app-data/core-lightning/data/lightningd"),
	} {
		if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// socket finds the RPC socket. The error says where it was looked for.
func (p *nodePlace) socket() (string, error) {
	if filepath.IsAbs(p.rpcFile) {
		return p.rpcFile, nil
	}
	var denied string
	for _, dir := range p.dirs() {
		found, err := p.socketsIn(dir)
		if errors.Is(err, fs.ErrPermission) {
			denied = dir
		}
		if len(found) > 0 {
			// Several: lightningd's default network goes first, as with lightning-cli.
			return filepath.Abs(found[0])
		}
	}
	do := "Start lightningd, or point to it with --lightning-dir and --network"
	if denied != "" {
		return "", failure.New(failure.NodeUnreachable, "Run this as the user who runs lightningd", "this user may not read %s", denied)
	}
	looked := strings.Join(p.dirs(), ", ")
	if p.network != "" {
		looked += " for the network " + p.network
	}
	return "", failure.New(failure.NodeUnreachable, do, "no RPC socket of lightningd was found in %s", looked)
}

// socketsIn lists the sockets below a lightning directory, which may also be the
// directory of one network.
func (p *nodePlace) socketsIn(dir string) ([]string, error) {
	var found []string
	var denied error
	try := func(path string) {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			denied = err
		case err == nil && info.Mode()&fs.ModeSocket != 0:
			found = append(found, path)
		}
	}
	for _, network := range networks {
		if p.network == "" || p.network == network {
			try(filepath.Join(dir, network, p.rpcFile))
		}
	}
	if p.dir != "" && (p.network == "" || p.network == filepath.Base(dir)) {
		try(filepath.Join(dir, p.rpcFile))
	}
	return found, denied
}

// networkDirs are the directories of networks where a node may be started: of the
// network that was named, else of the backup's, else of all.
func (p *nodePlace) networkDirs(b *vlsstate.Backup) []string {
	network := p.network
	if network == "" && b != nil {
		network = b.Network
	}
	var out []string
	for _, dir := range p.dirs() {
		for _, n := range networks {
			if network == "" || network == n {
				out = append(out, filepath.Join(dir, n))
			}
		}
		if p.dir != "" {
			out = append(out, dir)
		}
	}
	return out
}

// client is a client of the node.
func (p *nodePlace) client() (*lightningd.Client, error) {
	socket, err := p.socket()
	if err != nil {
		return nil, err
	}
	return lightningd.NewClient(socket), nil
}
