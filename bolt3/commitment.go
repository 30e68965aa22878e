package bolt3

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// AnchorSat is the value of an anchor output.
const AnchorSat = 330

// OutputKind says what an output of a commitment is, from the broadcaster's
// point of view.
type OutputKind uint8

// The kinds of outputs.
const (
	ToLocalOutput OutputKind = iota
	ToRemoteOutput
	BroadcasterAnchor
	CountersignerAnchor
	OfferedHTLC
	ReceivedHTLC
)

// String returns BOLT 3's name.
func (k OutputKind) String() string {
	switch k {
	case ToLocalOutput:
		return "to_local"
	case ToRemoteOutput:
		return "to_remote"
	case BroadcasterAnchor:
		return "to_local_anchor"
	case CountersignerAnchor:
		return "to_remote_anchor"
	case OfferedHTLC:
		return "offered_htlc"
	case ReceivedHTLC:
		return "received_htlc"
	}
	return fmt.Sprintf("OutputKind(%d)", uint8(k))
}

// Output is one output of a commitment with what is needed to spend it.
type Output struct {
	Kind     OutputKind
	ValueSat uint64
	PkScript []byte
	// WitnessScript is nil for a P2WPKH to_remote.
	WitnessScript []byte
	// HTLC is set for the two HTLC kinds.
	HTLC *channel.HTLC
}

// CommitTx is a commitment transaction without witness.
type CommitTx struct {
	Tx *wire.MsgTx
	// Number counts up from 0.
	Number      uint64
	Type        channel.Type
	Broadcaster channel.Side
	// Delay is the blocks that the broadcaster must wait.
	Delay uint16
	// FeeratePerKW is in sat per 1000 weight units.
	FeeratePerKW uint32
	Keys         Keys
	// Outputs are in the order of Tx.TxOut.
	Outputs []Output
	// FundingScript is the witness script of the spent 2-of-2 and FundingSat
	// its value.
	FundingScript []byte
	FundingSat    uint64
}

// BuildCommitment rebuilds commitment n of c.Broadcaster from the stored
// values, our public keys of the channel and the broadcaster's per-commitment
// point. The error says which key or script could not be made; it never
// depends on a chain.
func BuildCommitment(ch *channel.Channel, ours channel.Basepoints, c *channel.Commitment, n uint64, point channel.PubKey) (*CommitTx, error) {
	if n > MaxCommitNumber {
		return nil, fmt.Errorf("commitment number %d does not fit 48 bits", n)
	}
	perCommitment, err := point.Point()
	if err != nil {
		return nil, fmt.Errorf("per-commitment point: %w", err)
	}
	broadcaster, countersigner, delay := ours, ch.Remote, ch.CounterpartyDelay
	if c.Broadcaster == channel.Remote {
		broadcaster, countersigner, delay = ch.Remote, ours, ch.HolderDelay
	}
	keys, err := DeriveKeys(ch.Type, broadcaster, countersigner, perCommitment, len(c.Offered)+len(c.Received) > 0)
	if err != nil {
		return nil, err
	}
	funding, err := FundingScript(ours.Funding, ch.Remote.Funding)
	if err != nil {
		return nil, fmt.Errorf("funding script: %w", err)
	}
	t := &CommitTx{
		Number: n, Type: ch.Type, Broadcaster: c.Broadcaster, Delay: delay,
		FeeratePerKW: c.FeeratePerKW, Keys: keys, FundingScript: funding, FundingSat: ch.CapacitySat,
	}
	if err := t.addBalances(c, broadcaster.Funding, countersigner.Funding); err != nil {
		return nil, err
	}
	if err := t.addHTLCs(c); err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.Outputs, compareOutputs)

	lockTime, sequence := HideNumber(n, ChannelObscurer(ch, ours))
	t.Tx = wire.NewMsgTx(2)
	t.Tx.LockTime = lockTime
	t.Tx.AddTxIn(&wire.TxIn{PreviousOutPoint: ch.Funding, Sequence: sequence})
	for _, o := range t.Outputs {
		t.Tx.AddTxOut(wire.NewTxOut(int64(o.ValueSat), o.PkScript))
	}
	return t, nil
}

// addBalances adds to_local, to_remote and the anchors. An anchor exists if
// its owner has a balance output or any HTLC is untrimmed.
func (t *CommitTx) addBalances(c *channel.Commitment, broadcasterFunding, countersignerFunding channel.PubKey) error {
	if c.ToBroadcasterSat > 0 {
		script, err := DelayedScript(t.Keys.Revocation, t.Keys.Delayed, t.Delay)
		if err != nil {
			return fmt.Errorf("to_local script: %w", err)
		}
		t.add(ToLocalOutput, c.ToBroadcasterSat, script, P2WSH(script), nil)
	}
	if c.ToCountersignerSat > 0 {
		witness, pkScript, err := ToRemote(t.Type, t.Keys.ToRemote)
		if err != nil {
			return fmt.Errorf("to_remote script: %w", err)
		}
		t.add(ToRemoteOutput, c.ToCountersignerSat, witness, pkScript, nil)
	}
	if !t.Type.HasAnchors() {
		return nil
	}
	pending := len(c.Offered)+len(c.Received) > 0
	for _, a := range []struct {
		kind   OutputKind
		key    channel.PubKey
		exists bool
	}{
		{BroadcasterAnchor, broadcasterFunding, pending || c.ToBroadcasterSat > 0},
		{CountersignerAnchor, countersignerFunding, pending || c.ToCountersignerSat > 0},
	} {
		if !a.exists {
			continue
		}
		key, err := a.key.Point()
		if err != nil {
			return fmt.Errorf("anchor key: %w", err)
		}
		script, err := AnchorScript(key)
		if err != nil {
			return fmt.Errorf("anchor script: %w", err)
		}
		t.add(a.kind, AnchorSat, script, P2WSH(script), nil)
	}
	return nil
}

func (t *CommitTx) addHTLCs(c *channel.Commitment) error {
	for i := range c.Offered {
		script, err := OfferedHTLCScript(t.Type, t.Keys, c.Offered[i].PaymentHash)
		if err != nil {
			return fmt.Errorf("offered HTLC script: %w", err)
		}
		t.add(OfferedHTLC, c.Offered[i].ValueSat, script, P2WSH(script), &c.Offered[i])
	}
	for i := range c.Received {
		script, err := ReceivedHTLCScript(t.Type, t.Keys, c.Received[i].PaymentHash, c.Received[i].CLTVExpiry)
		if err != nil {
			return fmt.Errorf("received HTLC script: %w", err)
		}
		t.add(ReceivedHTLC, c.Received[i].ValueSat, script, P2WSH(script), &c.Received[i])
	}
	return nil
}

func (t *CommitTx) add(kind OutputKind, sat uint64, witness, pkScript []byte, htlc *channel.HTLC) {
	t.Outputs = append(t.Outputs, Output{Kind: kind, ValueSat: sat, PkScript: pkScript, WitnessScript: witness, HTLC: htlc})
}

// compareOutputs is BIP 69 with BOLT 3's tie breaker: offered HTLCs of equal
// value and hash differ in nothing but their expiry.
func compareOutputs(a, b Output) int {
	switch {
	case a.ValueSat < b.ValueSat:
		return -1
	case a.ValueSat > b.ValueSat:
		return 1
	}
	if c := bytes.Compare(a.PkScript, b.PkScript); c != 0 || a.HTLC == nil || b.HTLC == nil {
		return c
	}
	return int(int64(a.HTLC.CLTVExpiry) - int64(b.HTLC.CLTVExpiry))
}

// HTLCVouts returns the indexes of the HTLC outputs in output order, which is
// the order of the counterparty's HTLC signatures.
func (t *CommitTx) HTLCVouts() []int {
	var vouts []int
	for i := range t.Outputs {
		if t.Outputs[i].HTLC != nil {
			vouts = append(vouts, i)
		}
	}
	return vouts
}

// SigHash is the BIP 143 digest that both sides sign (SIGHASH_ALL).
func (t *CommitTx) SigHash() ([32]byte, error) {
	return sigHash(t.Tx, t.FundingScript, t.FundingSat, txscript.SigHashAll)
}

// sigHash is the BIP 143 digest of a transaction's only input.
func sigHash(tx *wire.MsgTx, witness []byte, sat uint64, hashType txscript.SigHashType) ([32]byte, error) {
	fetcher := txscript.NewCannedPrevOutputFetcher(P2WSH(witness), int64(sat))
	digest, err := txscript.CalcWitnessSigHash(witness, txscript.NewTxSigHashes(tx, fetcher), hashType, tx, 0, int64(sat))
	if err != nil {
		return [32]byte{}, fmt.Errorf("signature hash: %w", err)
	}
	return [32]byte(digest), nil
}
