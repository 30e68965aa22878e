package onchain

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// Close is what a funding spend was found to be.
type Close struct {
	Kind     Kind
	Evidence Evidence
	// Reason says in a sentence what the kind rests on, and what stays in
	// doubt.
	Reason string
	TxID   chainhash.Hash
	// Form says that locktime and sequence have the marks of a commitment.
	Form bool
	// Number is the commitment number; HasNumber is false where the
	// transaction has none or our keys, needed to read it, are missing.
	Number    uint64
	HasNumber bool
	// Point is the publisher's per-commitment point, nil where it is not
	// known. It is needed to derive keys for every claim but to_remote.
	Point *channel.PubKey
	// Delay is the blocks that the publisher's to_local and HTLC transactions
	// wait.
	Delay uint16
	// HasSecret says that the backup has the peer's secret of this commitment
	// (bolt3.SecretAt): a penalty can be built.
	HasSecret bool
	// Outputs are in the order of the transaction.
	Outputs []Output
}

// Output is one output of a funding spend.
type Output struct {
	OutPoint wire.OutPoint
	ValueSat uint64
	PkScript []byte
	// WitnessScript is nil for outputs that have none or that are not named.
	WitnessScript []byte
	Role          Role
	Owner         Owner
	Claimant      Claimant
	Path          Path
	// HTLC is set for the two HTLC roles, and where it is known for the output
	// of an HTLC transaction. Its expiry is 0 where only the hash is known.
	HTLC *channel.HTLC
	// Direction is set with HTLC.
	Direction Direction
	// CSV is the confirmations of the close that our claim of this output has
	// to wait for (BIP 68, blocks); CLTV the height before which it is
	// invalid. 0 means none.
	CSV  uint32
	CLTV uint32
	// SecondStage says that the claim is an HTLC transaction of ours that the
	// peer signed; its output waits another Close.Delay blocks.
	SecondStage bool
	// Guess says that Owner follows by elimination only.
	Guess bool
}

// Cheated reports whether the peer published a commitment that it has revoked.
func (c *Close) Cheated() bool { return c.Kind == TheirsRevoked }

// PenaltyDeadline is the first height at which the peer can take its to_local
// away; a penalty must be in a block before. height is the block of the close.
// HTLC outputs can be moved earlier: to HTLC transactions that the revocation
// key takes too, for as long again.
func (c *Close) PenaltyDeadline(height uint32) uint32 { return height + uint32(c.Delay) }

// SpendableFrom is the lowest height of a block that can hold our claim of the
// output, for a close in a block at height; ok is false if we have no claim.
func (o *Output) SpendableFrom(height uint32) (from uint32, ok bool) {
	if o.Path == PathNone {
		return 0, false
	}
	return max(height+o.CSV, o.CLTV+1), true
}

// Mine are the outputs that are ours or can become ours, anchors left out.
func (c *Close) Mine() []*Output {
	var out []*Output
	for i := range c.Outputs {
		if o := &c.Outputs[i]; o.Path != PathNone && o.Path != PathAnchor {
			out = append(out, o)
		}
	}
	return out
}

// Unnamed are the outputs that nothing explains.
func (c *Close) Unnamed() []*Output {
	var out []*Output
	for i := range c.Outputs {
		if c.Outputs[i].Role == Unnamed {
			out = append(out, &c.Outputs[i])
		}
	}
	return out
}
