package onchain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/onchain"
)

func TestMutualClosesAndSplices(t *testing.T) {
	g := goldenOf(t, "used-both-ways-1")
	newFunding, err := bolt3.FundingPkScript(g.keys.Ours.Funding, g.ch.Remote.Funding)
	if err != nil {
		t.Fatal(err)
	}
	var (
		wallet   = append([]byte{0x51, 0x20}, bytes.Repeat([]byte{1}, 32)...)
		upfront  = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{2}, 20)...)
		theirs   = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{3}, 20)...)
		foreign  = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{4}, 20)...)
		foreign2 = append([]byte{0x51, 0x20}, bytes.Repeat([]byte{5}, 32)...)
		strange  = append([]byte{0x00, 0x20}, bytes.Repeat([]byte{6}, 32)...)
	)
	isWallet := func(script []byte) bool { return bytes.Equal(script, wallet) }
	type out struct {
		role  onchain.Role
		owner onchain.Owner
		by    onchain.Claimant
		guess bool
	}
	var (
		ours      = out{onchain.Closing, onchain.OwnerUs, onchain.ByWallet, false}
		oursAway  = out{onchain.Closing, onchain.OwnerUs, onchain.ByElsewhere, false}
		oursGuess = out{onchain.Closing, onchain.OwnerUs, onchain.ByElsewhere, true}
		peers     = out{onchain.Closing, onchain.OwnerPeer, onchain.ByNobody, false}
		peerGuess = out{onchain.Closing, onchain.OwnerPeer, onchain.ByNobody, true}
		somebody  = out{onchain.Closing, onchain.OwnerUnknown, onchain.ByNobody, false}
		unnamed   = out{onchain.Unnamed, onchain.OwnerUnknown, onchain.ByNobody, false}
		unnamedUs = out{onchain.Unnamed, onchain.OwnerUs, onchain.ByWallet, false}
		funding   = out{onchain.NewFunding, onchain.OwnerShared, onchain.ByNobody, false}
	)
	tests := []struct {
		name     string
		scripts  [][]byte
		inputs   int
		noWallet bool // whether a script is the wallet's cannot be told
		noKeys   bool
		kind     onchain.Kind
		ev       onchain.Evidence
		want     []out
	}{
		{"to the wallet and the peer", [][]byte{theirs, wallet}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{peers, ours}},
		{"to the wallet alone", [][]byte{wallet}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{ours}},
		{"to the wallet, the other follows", [][]byte{wallet, foreign}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{ours, peerGuess}},
		{"to an agreed script outside the wallet", [][]byte{upfront, theirs}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{oursAway, peers}},
		{"to an agreed script, wallet not asked", [][]byte{upfront, theirs}, 1, true, false, onchain.Mutual, onchain.EvidenceScript, []out{ours, peers}},
		{"to the peer, the other follows", [][]byte{foreign, theirs}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{oursGuess, peers}},
		{"to the peer alone", [][]byte{theirs}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{peers}},
		{"to nobody known", [][]byte{foreign, foreign2}, 1, false, false, onchain.Mutual, onchain.EvidenceShape, []out{somebody, somebody}},
		{"without our keys", [][]byte{theirs, wallet}, 1, false, true, onchain.Mutual, onchain.EvidenceScript, []out{peers, ours}},
		{"to the same wallet script twice", [][]byte{wallet, wallet}, 1, false, false, onchain.Mutual, onchain.EvidenceScript, []out{ours, ours}},
		{"to a strange P2WSH", [][]byte{wallet, strange}, 1, false, false, onchain.Unknown, onchain.EvidenceNone, []out{unnamedUs, unnamed}},
		{"splice with the same keys", [][]byte{newFunding}, 1, false, false, onchain.Splice, onchain.EvidenceScript, []out{funding}},
		{"splice-out with the same keys", [][]byte{wallet, newFunding}, 2, false, false, onchain.Splice, onchain.EvidenceScript, []out{unnamedUs, funding}},
		{"splice-in with other keys", [][]byte{strange, foreign}, 2, false, false, onchain.Splice, onchain.EvidenceShape, []out{unnamed, unnamed}},
		{"splice, seen without our keys", [][]byte{newFunding}, 1, false, true, onchain.Unknown, onchain.EvidenceNone, []out{unnamed}},
		{"three outputs", [][]byte{wallet, theirs, foreign}, 1, false, false, onchain.Unknown, onchain.EvidenceNone, []out{unnamedUs, {onchain.Unnamed, onchain.OwnerPeer, onchain.ByNobody, false}, unnamed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ch := clone(g.ch)
			ch.HolderShutdownScript, ch.CounterpartyShutdownScript = upfront, theirs
			keys := g.keys
			if tt.noKeys {
				keys = onchain.Keys{}
			}
			keys.IsOurs = isWallet
			if tt.noWallet {
				keys.IsOurs = nil
			}
			tx := wire.NewMsgTx(2)
			for i := 1; i < tt.inputs; i++ {
				tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, nil))
			}
			tx.AddTxIn(wire.NewTxIn(&ch.Funding, nil, nil))
			for i, s := range tt.scripts {
				tx.AddTxOut(wire.NewTxOut(int64(1000*(i+1)), s))
			}
			c := classify(t, ch, keys, tx)
			if c.Kind != tt.kind || c.Evidence != tt.ev || c.Reason == "" || c.Form || c.HasNumber {
				t.Errorf("%s by %s: %s", c.Kind, c.Evidence, c.Reason)
			}
			for i, want := range tt.want {
				o := c.Outputs[i]
				if got := (out{o.Role, o.Owner, o.Claimant, o.Guess}); got != want {
					t.Errorf("output %d: %+v, want %+v", i, got, want)
				}
				if (o.Path == onchain.PathScript) != (o.Owner == onchain.OwnerUs) || o.ValueSat != uint64(1000*(i+1)) {
					t.Errorf("output %d: path %s, %d sat", i, o.Path, o.ValueSat)
				}
			}
		})
	}
}
