package main

import (
	"errors"
	"flag"
	"slices"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

const addressesHelp = `  --addresses PEER@ADDRESS[,...]
      addresses of peers, used before the backup's; PEER is a node id,
      ADDRESS is host:port, [IPv6]:port or an onion address with a port; the port is
      9735 if you leave it out
`

// addresses are the user's: at most one per peer.
type addresses map[channel.PubKey]scbconv.Address

// addressesFlag adds --addresses to a command's flags.
func addressesFlag(fs *flag.FlagSet) addresses {
	a := make(addresses)
	fs.Func("addresses", "", a.set)
	return a
}

func (a addresses) set(list string) error {
	given, err := scbconv.ReadPeerAddresses(list)
	if err != nil {
		return err
	}
	for peer, addr := range given {
		if _, twice := a[peer]; twice {
			return errors.New("two addresses for one peer: an entry holds only one")
		}
		a[peer] = addr
	}
	return nil
}

// known is what the user and the backup say of a peer's addresses.
func (a addresses) known(b *vlsstate.Backup) func(channel.PubKey) scbconv.Candidates {
	return func(peer channel.PubKey) scbconv.Candidates {
		p := b.Peers[peer]
		return scbconv.Candidates{
			Parameter:     a[peer],
			Backup:        p.Addr,
			BackupInbound: p.Direction == vlsstate.In,
		}
	}
}

// used refuses addresses of peers that are not in the backup: a mistyped id
// would be lost without a word.
func (a addresses) used(b *vlsstate.Backup) error {
	for peer := range a {
		if !slices.ContainsFunc(b.Channels, func(c *channel.Channel) bool { return c.Peer == peer }) {
			return usagef("--addresses: the backup has no channel with peer %s", peer)
		}
	}
	return nil
}
