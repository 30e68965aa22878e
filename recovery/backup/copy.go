package backup

import (
	"fmt"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
)

// Opener decrypts what a node left with its peers; it has the node's secret.
type Opener interface {
	OpenPeerStorage(blob []byte) ([]byte, error)
}

// Source says where a copy of the lost node's own backup was.
type Source string

// The sources.
const (
	// FromPeer: the peer returned it in our own session, encrypted.
	FromPeer Source = "peer_storage"
	// FromDatastore: lightningd got it from a peer, opened it, and keeps the
	// newest one in its datastore (CLN plugins/chanbackup.c, store_latest_scb).
	FromDatastore Source = "chanbackup/latestscb"
	// FromReestablish: no copy has it; the peer speaks of it unasked when it is
	// connected (channel_reestablish).
	FromReestablish Source = "channel_reestablish"
	// FromChain: nobody speaks of it; an output to a script of ours is on the chain.
	FromChain Source = "chain"
)

// LatestSCB is where lightningd keeps it in its datastore.
var LatestSCB = []string{"chanbackup", "latestscb"}

// Copy is a backup of the lost node's own, as a peer has kept it; or, with
// FromReestablish and FromChain, which have no Blob, the other ways in which a
// channel becomes known without the signer's backup.
type Copy struct {
	Source Source
	// Peer returned it, or said it; zero for FromDatastore, which does not say who.
	Peer channel.PubKey
	Blob []byte
	// Written is when the lost node wrote it; zero until it was opened.
	Written time.Time
}

// String names the copy for people.
func (c *Copy) String() string {
	switch c.Source {
	case FromDatastore:
		return "the copy that lightningd got from a peer (datastore " + strings.Join(LatestSCB, "/") + ")"
	case FromReestablish:
		return "what peer " + c.Peer.String() + " reports by itself (channel_reestablish)"
	case FromChain:
		return "the chain: an output to a script that only this node's keys with peer " + c.Peer.String() + " can spend"
	case FromPeer:
	}
	return "the copy that peer " + c.Peer.String() + " kept"
}

// Open decrypts and reads a copy. What lightningd keeps in its datastore is
// open already.
func (c *Copy) Open(keys Opener) (*scbconv.File, error) {
	if c.Source == FromDatastore {
		if f, err := scbconv.DecodeFile(c.Blob); err == nil {
			return f, nil
		}
	}
	if keys == nil {
		return nil, fmt.Errorf("it cannot be decrypted without the hsm_secret")
	}
	plain, err := keys.OpenPeerStorage(c.Blob)
	if err != nil {
		return nil, fmt.Errorf("it cannot be decrypted: %w", err)
	}
	return scbconv.DecodeFile(plain)
}
