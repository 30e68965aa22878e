package sweep

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

func FuzzSignedPSBT(f *testing.F) {
	s := stuckClose(f, channel.AnchorsZeroFeeHTLC, 400_000)
	tx := wire.NewMsgTx(2)
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	w := newWallet(f)
	anchor := wire.OutPoint{Hash: s.parent.TxHash(), Index: 0}
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: anchor, Sequence: sequence})
	prevouts[anchor] = s.parent.TxOut[0]
	for _, pkScript := range [][]byte{w.p2wpkh(), w.p2tr()} {
		op := w.add(10_000, pkScript)
		w.reserved[op] = 1
		prevouts[op] = wire.NewTxOut(10_000, pkScript)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: sequence})
	}
	tx.AddTxOut(wire.NewTxOut(15_000, w.p2tr()))
	text, err := encode(tx, prevouts)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := w.Sign(f.Context(), text, []uint32{1, 2})
	if err != nil {
		f.Fatal(err)
	}
	if found, err := witnesses(signed, tx); err != nil || len(found) != 2 || len(found[0]) != 2 || len(found[1]) != 1 {
		f.Fatalf("%d witnesses, %v", len(found), err)
	}
	for _, seed := range []string{signed, text, "", "cHNidP8=", signed + "\n", signed[:len(signed)/2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := witnesses(text, tx)
		if err != nil {
			if found != nil {
				t.Error("witnesses along with an error")
			}
			return
		}
		if len(found) != 2 {
			t.Fatalf("%d witnesses for 2 inputs", len(found))
		}
		// Whatever was signed, only a valid child passes.
		child := tx.Copy()
		for i, witness := range found {
			hashAll(witness)
			child.TxIn[i+1].Witness = witness
		}
		if selfCheck(child, prevouts, &choice{weight: 1 << 20}) == nil {
			t.Error("a child without the anchor's signature passed")
		}
	})
}

func TestOnlySignaturesOfTheWholeTransactionPass(t *testing.T) {
	sig := func(size int, last byte) []byte { return append(make([]byte, size-1), last) }
	for name, c := range map[string]struct {
		witness wire.TxWitness
		want    bool
	}{
		"ecdsa, all":           {wire.TxWitness{sig(71, 1), nil}, true},
		"ecdsa, none":          {wire.TxWitness{sig(71, 2), nil}, false},
		"ecdsa, anyonecanpay":  {wire.TxWitness{sig(71, 0x81), nil}, false},
		"ecdsa of 64 bytes":    {wire.TxWitness{sig(64, 3), nil}, false},
		"empty":                {wire.TxWitness{nil, nil}, false},
		"schnorr, default":     {wire.TxWitness{sig(64, 0x83)}, true},
		"schnorr, all":         {wire.TxWitness{sig(65, 1)}, true},
		"schnorr, single":      {wire.TxWitness{sig(65, 3)}, false},
		"schnorr, default, 65": {wire.TxWitness{sig(65, 0)}, false},
	} {
		if got := hashAll(c.witness); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
