package sweep

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

func mustBuild(t *testing.T, w Wallet, r Request) *Child {
	t.Helper()
	c, err := BuildChild(t.Context(), w, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// looksRight checks a child against its request with code of its own.
func looksRight(t *testing.T, s *stuck, w *fakeWallet, c *Child, perKW uint32) {
	t.Helper()
	if c.Tx.TxIn[0].PreviousOutPoint != c.Anchor || c.Anchor.Hash != s.parent.TxHash() || c.Txid != c.Tx.TxHash() {
		t.Error("the first input is not the anchor")
	}
	in := int64(330)
	for i, op := range c.Inputs {
		if c.Tx.TxIn[i+1].PreviousOutPoint != op {
			t.Errorf("input %d is not %s", i+1, op)
		}
		if w.reserved[op] == 0 {
			t.Errorf("%s is not reserved", op)
		}
		in += int64(w.coins[w.find(op)].ValueSat)
	}
	for i, txin := range c.Tx.TxIn {
		if txin.Sequence != 0xfffffffd {
			t.Errorf("input %d has sequence %x", i, txin.Sequence)
		}
	}
	if len(c.Tx.TxIn) != len(c.Inputs)+1 || len(c.Tx.TxOut) != 1 || in-c.Tx.TxOut[0].Value != int64(c.Paid.FeeSat) || c.Tx.TxOut[0].Value != int64(c.OutputSat) {
		t.Errorf("%d inputs worth %d, outputs %d, fee %d", len(c.Tx.TxIn), in, c.Tx.TxOut[0].Value, c.Paid.FeeSat)
	}
	if got := address(t, c.Tx.TxOut[0].PkScript); got != c.Destination {
		t.Errorf("pays to %s, not %s", got, c.Destination)
	}
	if c.Package.FeeSat != c.Paid.FeeSat+1_000 || c.Package.VSize != VSize(weightOf(s.parent))+VSize(weightOf(c.Tx)) {
		t.Errorf("package %+v", c.Package)
	}
	if got := c.Package.FeeratePerKW(); got < perKW || got > perKW+perKW/100 {
		t.Errorf("the package pays %d sat/kw, want %d and little more", got, perKW)
	}
}

func TestAChildLiftsAStuckCloseToTheFeerate(t *testing.T) {
	for _, typ := range []channel.Type{channel.Anchors, channel.AnchorsZeroFeeHTLC} {
		for _, perKW := range []uint32{1_300, 5_000, 25_000} {
			s, w := stuckClose(t, typ, 400_000), newWallet(t)
			w.add(10_000, w.p2wpkh())
			w.add(60_000, w.p2tr())
			c := mustBuild(t, w, s.request(perKW, 60_000))
			looksRight(t, s, w, c, perKW)
			if w.addresses != 1 {
				t.Errorf("%d addresses were made", w.addresses)
			}
		}
	}
}

func TestARecordedDestinationIsUsed(t *testing.T) {
	s, w := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000), newWallet(t)
	w.add(20_000, w.p2tr())
	r := s.request(5_000, 60_000)
	r.Destination = address(t, w.p2wpkh())
	c := mustBuild(t, w, r)
	looksRight(t, s, w, c, 5_000)
	if w.addresses != 0 || c.Destination != r.Destination {
		t.Errorf("pays to %s, %d new addresses", c.Destination, w.addresses)
	}
	for _, bad := range []string{p2wsh(t), "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "no address", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"} {
		r.Destination = bad
		if _, err := BuildChild(t.Context(), newWallet(t), r); !errors.Is(err, ErrDestination) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestWhatMustBeLeftAloneIsNotSpent(t *testing.T) {
	s, w := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000), newWallet(t)
	recovering := w.add(50_000, w.p2wpkh())
	unconfirmed := w.add(60_000, w.p2wpkh())
	w.coins[1].Confirmed = false
	reserved := w.add(70_000, w.p2wpkh())
	w.reserved[reserved] = 5
	w.coins = append(w.coins, Coin{OutPoint: wire.OutPoint{Hash: s.parent.TxHash(), Index: 3}, ValueSat: 400_000, PkScript: w.p2wpkh(), Confirmed: true})
	toRemote := w.add(80_000, bolt3.P2WSH([]byte{txscript.OP_TRUE}))
	r := s.request(5_000, 40_000)
	r.Avoid = func(op wire.OutPoint) bool { return op == recovering }

	_, err := BuildChild(t.Context(), w, r)
	var lacks *NeedsFeeInputError
	if !errors.As(err, &lacks) || lacks.Address != address(t, w.p2tr()) {
		t.Fatalf("%v", err)
	}
	if len(w.reserved) != 1 {
		t.Errorf("reservations were left: %v", w.reserved)
	}
	allowed := w.add(lacks.AmountSat, w.p2wpkh())
	r.Destination = lacks.Address
	c := mustBuild(t, w, r)
	if !slices.Equal(c.Inputs, []wire.OutPoint{allowed}) {
		t.Errorf("spends %v, not only %v; never %v, %v", c.Inputs, allowed, unconfirmed, toRemote)
	}
	if w.addresses != 1 || w.reserved[allowed] != DefaultReserveBlocks || w.reserved[reserved] != 5 {
		t.Errorf("%d addresses, reservations %v", w.addresses, w.reserved)
	}
}

func TestAReplacementKeepsTheInputsAndPaysMore(t *testing.T) {
	s, w := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000), newWallet(t)
	w.add(6_000, w.p2wpkh())
	w.add(7_000, w.p2tr())
	r := s.request(5_000, 40_000)
	r.ReserveBlocks = 10
	first := mustBuild(t, w, r)
	looksRight(t, s, w, first, 5_000)

	r.Replaces, r.FeeratePerKW = first.Tx, 5_001
	second := mustBuild(t, w, r)
	if !slices.Equal(second.Inputs, first.Inputs) || second.Destination != first.Destination || w.addresses != 1 {
		t.Errorf("inputs %v, then %v; %d addresses", first.Inputs, second.Inputs, w.addresses)
	}
	// One sat/kw more would not be relayed: its own bytes are paid for as well.
	if least := first.Paid.FeeSat + second.Paid.VSize; second.Paid.FeeSat < least || second.Paid.FeeSat > least+2 {
		t.Errorf("pays %d after %d, want %d", second.Paid.FeeSat, first.Paid.FeeSat, least)
	}
	if w.reserved[first.Inputs[0]] != 20 {
		t.Errorf("reservations %v", w.reserved)
	}

	// At this feerate the old inputs are too small: they stay, and a coin comes
	// to them.
	r.Replaces, r.FeeratePerKW = second.Tx, 12_000
	var lacks *NeedsFeeInputError
	if _, err := BuildChild(t.Context(), w, r); !errors.As(err, &lacks) || lacks.Address != first.Destination {
		t.Fatalf("%v", err)
	}
	extra := w.add(90_000, w.p2wpkh())
	third := mustBuild(t, w, r)
	looksRight(t, s, w, third, 12_000)
	if !slices.Equal(third.Inputs, append(slices.Clone(first.Inputs), extra)) {
		t.Errorf("spends %v", third.Inputs)
	}
	if third.Paid.FeeSat*second.Paid.VSize <= second.Paid.FeeSat*third.Paid.VSize {
		t.Error("the feerate did not rise")
	}
	if w.reserved[first.Inputs[0]] != 30 || w.reserved[extra] != 10 {
		t.Errorf("reservations %v", w.reserved)
	}

	if err := Release(t.Context(), w, third.Inputs); err != nil || len(w.reserved) != 0 {
		t.Errorf("after the release: %v, %v", w.reserved, err)
	}
}

func TestAReplacementIsRefusedWhereItMakesNoSense(t *testing.T) {
	s, w := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000), newWallet(t)
	w.add(30_000, w.p2wpkh())
	r := s.request(5_000, 40_000)
	r.ReserveBlocks = 10
	first := mustBuild(t, w, r)

	r.Replaces = first.Tx
	if _, err := BuildChild(t.Context(), w, r); !errors.Is(err, ErrFeeSufficient) {
		t.Errorf("same feerate: %v", err)
	}
	r.FeeratePerKW, r.MaxFeeSat = 5_020, first.Paid.FeeSat+first.Paid.VSize-10
	var tooFar *UneconomicError
	if _, err := BuildChild(t.Context(), w, r); !errors.As(err, &tooFar) || tooFar.FeeSat <= r.MaxFeeSat {
		t.Errorf("the least increment is above the maximum: %v", err)
	}
	r.MaxFeeSat = 40_000
	for name, spoil := range map[string]func(*wire.MsgTx){
		"spends another anchor": func(tx *wire.MsgTx) { tx.TxIn = tx.TxIn[1:] },
		"unsigned":              func(tx *wire.MsgTx) { tx.TxIn[0].Witness, tx.TxIn[1].Witness = nil, nil },
		"two outputs":           func(tx *wire.MsgTx) { tx.AddTxOut(tx.TxOut[0]) },
		"pays out too much":     func(tx *wire.MsgTx) { tx.TxOut[0].Value = 31_000 },
		"negative output":       func(tx *wire.MsgTx) { tx.TxOut[0].Value = -1 },
		"odd output":            func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = []byte{txscript.OP_RETURN} },
	} {
		r.Replaces = first.Tx.Copy()
		spoil(r.Replaces)
		if _, err := BuildChild(t.Context(), w, r); !errors.Is(err, ErrNotOurChild) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Replaces = first.Tx
	spent := w.coins[0].OutPoint
	w.coins = nil
	var gone *InputsSpentError
	if _, err := BuildChild(t.Context(), w, r); !errors.As(err, &gone) || !slices.Equal(gone.Inputs, []wire.OutPoint{spent}) {
		t.Errorf("a spent input: %v", err)
	}
	if w.reserved[spent] != 10 {
		t.Errorf("refusals changed the reservation: %v", w.reserved)
	}
}

func TestRefusalsOfTheParent(t *testing.T) {
	s := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000)
	for name, c := range map[string]struct {
		change func(*Request)
		want   error
	}{
		"static_remotekey": {func(r *Request) {
			plain := stuckClose(t, channel.StaticRemoteKey, 400_000)
			r.Parent, r.Channel = plain.parent, plain.ch
		}, ErrNoAnchor},
		"nothing in it is ours": {func(r *Request) {
			none := stuckClose(t, channel.AnchorsZeroFeeHTLC, 0)
			r.Parent, r.Channel = none.parent, none.ch
		}, ErrNoAnchor},
		"another channel": {func(r *Request) {
			ch := *s.ch
			ch.Funding.Index++
			r.Channel = &ch
		}, ErrNoAnchor},
		"wrong funding value":             {func(r *Request) { r.FundingSat++ }, ErrNotCommitment},
		"funding value below the outputs": {func(r *Request) { r.FundingSat = 900_000 }, ErrNotCommitment},
		"absurd funding value":            {func(r *Request) { r.FundingSat = 1 << 63 }, ErrNotCommitment},
		"unsigned": {func(r *Request) {
			r.Parent = s.parent.Copy()
			r.Parent.TxIn[0].Witness = nil
		}, ErrNotCommitment},
		"an output was changed": {func(r *Request) {
			r.Parent = s.parent.Copy()
			r.Parent.TxOut[3].Value++
		}, ErrNotCommitment},
		"it pays enough": {func(r *Request) { r.FeeratePerKW = 800 }, ErrFeeSufficient},
	} {
		r := s.request(5_000, 40_000)
		c.change(&r)
		w := newWallet(t)
		w.add(50_000, w.p2wpkh())
		if _, err := BuildChild(t.Context(), w, r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if len(w.reserved) != 0 || w.addresses != 0 {
			t.Errorf("%s: the wallet was touched", name)
		}
	}
}

func TestAFailureLeavesNoReservation(t *testing.T) {
	s := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000)
	for _, method := range []string{"Coins", "Reserve", "Sign", "NewAddress"} {
		w := newWallet(t)
		w.add(50_000, w.p2wpkh())
		w.fail = method
		if _, err := BuildChild(t.Context(), w, s.request(5_000, 40_000)); !errors.Is(err, errWallet) {
			t.Errorf("%s fails: %v", method, err)
		}
		if len(w.reserved) != 0 {
			t.Errorf("%s fails: reservations %v", method, w.reserved)
		}
	}
	t.Run("the context ends on the way", func(t *testing.T) {
		w := newWallet(t)
		w.add(50_000, w.p2wpkh())
		ctx, cancel := context.WithCancel(t.Context())
		w.before, w.fail = cancel, "Sign"
		if _, err := BuildChild(ctx, w, s.request(5_000, 40_000)); err == nil || len(w.reserved) != 0 {
			t.Errorf("%v, reservations %v", err, w.reserved)
		}
	})
	t.Run("somebody else was faster", func(t *testing.T) {
		w := newWallet(t)
		op := w.add(50_000, w.p2wpkh())
		w.before = func() { w.reserved[op] = 3 }
		if _, err := BuildChild(t.Context(), w, s.request(5_000, 40_000)); !errors.Is(err, ErrReservation) || w.reserved[op] != 3 {
			t.Errorf("%v, reservations %v", err, w.reserved)
		}
	})
	t.Run("the coin is gone", func(t *testing.T) {
		w := newWallet(t)
		w.add(50_000, w.p2wpkh())
		w.before = func() { w.coins = nil }
		if _, err := BuildChild(t.Context(), &lenient{w}, s.request(5_000, 40_000)); !errors.Is(err, ErrReservation) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a replacement falls back to the old reservation", func(t *testing.T) {
		w := newWallet(t)
		op := w.add(50_000, w.p2wpkh())
		r := s.request(5_000, 40_000)
		r.ReserveBlocks = 10
		r.Replaces = mustBuild(t, w, r).Tx
		r.FeeratePerKW, w.fail = 8_000, "Sign"
		if _, err := BuildChild(t.Context(), w, r); !errors.Is(err, errWallet) || w.reserved[op] != 10 {
			t.Errorf("%v, reservations %v", err, w.reserved)
		}
	})
}

// lenient releases what is not its own without complaint.
type lenient struct{ *fakeWallet }

func (lenient) Release(context.Context, string, uint32) error { return nil }

func TestASignerThatErrsIsFoundOut(t *testing.T) {
	s := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000)
	for name, c := range map[string]struct {
		taproot bool
		spoil   func(*psbt.Packet)
	}{
		"no signature": {false, func(p *psbt.Packet) { p.Inputs[1].PartialSigs = nil }},
		"two signatures": {false, func(p *psbt.Packet) {
			first := *p.Inputs[1].PartialSigs[0]
			other, payment := first, s.ours.Basepoints().Payment
			other.PubKey = payment[:]
			p.Inputs[1].PartialSigs = []*psbt.PartialSig{&first, &other}
		}},
		"damaged signature": {false, func(p *psbt.Packet) { p.Inputs[1].PartialSigs[0].Signature[20] ^= 1 }},
		"SIGHASH_NONE": {false, func(p *psbt.Packet) {
			sig := p.Inputs[1].PartialSigs[0].Signature
			sig[len(sig)-1] = byte(txscript.SigHashNone)
		}},
		"damaged taproot signature": {true, func(p *psbt.Packet) { p.Inputs[1].TaprootKeySpendSig[20] ^= 1 }},
		"taproot with SIGHASH_SINGLE": {true, func(p *psbt.Packet) {
			p.Inputs[1].TaprootKeySpendSig = append(p.Inputs[1].TaprootKeySpendSig, byte(txscript.SigHashSingle))
		}},
		"another output": {false, func(p *psbt.Packet) { p.UnsignedTx.TxOut[0].Value-- }},
		"another input":  {true, func(p *psbt.Packet) { p.UnsignedTx.TxIn[1].PreviousOutPoint.Index++ }},
	} {
		w := newWallet(t)
		pkScript := w.p2wpkh()
		if c.taproot {
			pkScript = w.p2tr()
		}
		w.add(50_000, pkScript)
		w.spoil = c.spoil
		if child, err := BuildChild(t.Context(), w, s.request(5_000, 40_000)); !errors.Is(err, ErrSelfCheck) || child != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.reserved) != 0 {
			t.Errorf("%s: reservations %v", name, w.reserved)
		}
	}
}

func TestAWipedKeySignsNothing(t *testing.T) {
	s, w := stuckClose(t, channel.AnchorsZeroFeeHTLC, 400_000), newWallet(t)
	w.add(50_000, w.p2wpkh())
	s.ours.Wipe()
	if _, err := BuildChild(t.Context(), w, s.request(5_000, 40_000)); err == nil || len(w.reserved) != 0 {
		t.Errorf("%v, reservations %v", err, w.reserved)
	}
}

func TestErrorsBeginWithTheirNames(t *testing.T) {
	for want, err := range map[string]error{
		"uneconomic_at 12 sat/vB: the fee would be 900 sat, but at most 800 are allowed":                           &UneconomicError{FeeratePerKW: 3_000, FeeSat: 900, MaxFeeSat: 800},
		"needs_fee_input: send at least 5 sat to bcrt1":                                                            &NeedsFeeInputError{AmountSat: 5, Address: "bcrt1"},
		"inputs_gone: the wallet no longer has 0000000000000000000000000000000000000000000000000000000000000000:4": &InputsSpentError{Inputs: []wire.OutPoint{{Index: 4}}},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for perKW, want := range map[uint32]uint64{253: 1, 375: 2, 1_000: 4, 25_000: 100} {
		if got := (&UneconomicError{FeeratePerKW: perKW}).SatPerVB(); got != want {
			t.Errorf("%d sat/kw is %d sat/vB, want %d", perKW, got, want)
		}
	}
}
