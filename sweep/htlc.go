package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// secondStage is what an HTLC transaction of ours is made of. The peer signed
// it: without anchors as it is, with anchors its first input and first output.
type secondStage struct {
	htlc *bolt3.HTLCTx
	typ  channel.Type
	use  KeyUse
	// commitScript is the output script that it spends.
	commitScript []byte
	theirSig     []byte
	preimage     [32]byte
}

// htlcTransaction makes the HTLC transaction of the only claim. Wallet coins
// pay for it where it pays too little by itself and may be added to.
func (o *Order) htlcTransaction(ctx context.Context, keys Keys) (*Tx, error) {
	c := &o.Claims[0]
	s := c.second
	tx := s.htlc.Tx.Copy()
	tx.TxIn[0].Witness = s.htlc.Witness(make([]byte, len(s.theirSig)), make([]byte, maxSig), s.preimage)
	bare := weightOf(tx)
	prepaid := Paid{FeeSat: s.htlc.FeeSat, VSize: VSize(bare)}
	t := &Tx{Claims: o.Claims}
	switch {
	case !s.typ.HasAnchors() && o.Replaces != nil:
		return nil, ErrFeeFixed
	case !s.typ.HasAnchors(), o.Replaces == nil && prepaid.FeeSat >= prepaid.VSize*MinRelaySatPerVB && prepaid.Reaches(o.FeeratePerKW):
		if err := s.finish(keys, tx, nil, nil, bare); err != nil {
			return nil, err
		}
		t.Tx, t.Txid, t.Paid = tx, tx.TxHash(), Paid{FeeSat: s.htlc.FeeSat, VSize: VSize(weightOf(tx))}
		return t, nil
	}
	if err := o.fundedHTLC(ctx, keys, t, tx, bare); err != nil {
		return nil, err
	}
	return t, nil
}

// fundedHTLC adds wallet coins and change.
func (o *Order) fundedHTLC(ctx context.Context, keys Keys, t *Tx, tx *wire.MsgTx, bare uint64) error {
	s := o.Claims[0].second
	address := o.Change
	if address == "" {
		address = o.Destination
	}
	if address == "" && o.Replaces != nil && len(o.Replaces.TxOut) == 2 {
		if _, found, _, err := txscript.ExtractPkScriptAddrs(o.Replaces.TxOut[1].PkScript, o.Network); err == nil && len(found) == 1 {
			address = found[0].EncodeAddress()
		}
	}
	change, err := scriptOf(address, o.Network)
	if err != nil {
		return err
	}
	var coins []Coin
	if o.Wallet != nil {
		if coins, err = o.Wallet.Coins(ctx); err != nil {
			return err
		}
	}
	d := &draft{
		ownWeight: bare - emptyWeight, ownSat: s.htlc.FeeSat, perKW: o.FeeratePerKW,
		maxFeeSat: o.maxFee(&o.Claims[0]), outputSize: len(change),
	}
	if err := o.replacedHTLC(d, coins); err != nil {
		return err
	}
	chosen, err := o.chooseHTLC(d, spendable(coins, s.htlc.Tx.TxIn[0].PreviousOutPoint.Hash, o.Avoid))
	var lacks *NeedsFeeInputError
	if errors.As(err, &lacks) {
		lacks.Address = address
	}
	if err != nil {
		return err
	}
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	for _, coin := range chosen.coins {
		t.WalletInputs = append(t.WalletInputs, coin.OutPoint)
		prevouts[coin.OutPoint] = wire.NewTxOut(int64(coin.ValueSat), coin.PkScript)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: coin.OutPoint, Sequence: sequence})
	}
	tx.AddTxOut(wire.NewTxOut(int64(chosen.outSat), change))
	f := funds{o.Wallet, o.ReserveBlocks}
	release, err := f.reserve(ctx, t.WalletInputs, len(d.fixed))
	if err != nil {
		return err
	}
	tx.TxIn[0].Witness = nil
	if err := s.finish(keys, tx, prevouts, func(prevouts map[wire.OutPoint]*wire.TxOut) ([]wire.TxWitness, error) {
		return f.sign(ctx, tx, prevouts)
	}, chosen.weight); err != nil {
		release()
		return err
	}
	t.Tx, t.Txid, t.Paid = tx, tx.TxHash(), Paid{FeeSat: chosen.feeSat, VSize: VSize(weightOf(tx))}
	return nil
}

// chooseHTLC lets an urgent claim pay what it may where the wanted feerate is
// more.
func (o *Order) chooseHTLC(d *draft, available []Coin) (*choice, error) {
	chosen, err := d.choose(available)
	var dear *UneconomicError
	if !errors.As(err, &dear) || !o.Claims[0].Urgent(o.Height) {
		return chosen, err
	}
	for inputs := uint64(1); inputs <= maxInputs; inputs++ {
		d.perKW = Paid{FeeSat: d.maxFeeSat, VSize: VSize(d.weight(d.fixed, inputs*p2wpkhWeight))}.FeeratePerKW()
		if d.perKW >= dear.FeeratePerKW || d.perKW < MinRelaySatPerVB*1000/4 {
			break
		}
		if chosen, again := d.choose(available); !errors.As(again, new(*UneconomicError)) {
			return chosen, again
		}
	}
	return nil, err
}

// replacedHTLC settles the coins and the fee of the transaction to replace.
func (o *Order) replacedHTLC(d *draft, coins []Coin) error {
	old := o.Replaces
	if old == nil {
		return nil
	}
	htlc := o.Claims[0].second.htlc.Tx
	if len(old.TxIn) < 1 || len(old.TxOut) < 1 || len(old.TxOut) > 2 || !old.HasWitness() ||
		old.TxIn[0].PreviousOutPoint != htlc.TxIn[0].PreviousOutPoint || old.LockTime != htlc.LockTime ||
		old.TxOut[0].Value != htlc.TxOut[0].Value || !bytes.Equal(old.TxOut[0].PkScript, htlc.TxOut[0].PkScript) {
		return ErrNotOurSweep
	}
	have := map[wire.OutPoint]Coin{}
	for _, c := range coins {
		have[c.OutPoint] = c
	}
	var gone []wire.OutPoint
	for _, in := range old.TxIn[1:] {
		c, ok := have[in.PreviousOutPoint]
		if !ok || inputWeight(c.PkScript) == 0 || c.ValueSat > maxMoney {
			gone = append(gone, in.PreviousOutPoint)
			continue
		}
		d.fixed = append(d.fixed, c)
	}
	if len(gone) > 0 {
		return &InputsSpentError{Inputs: gone}
	}
	var change uint64
	if len(old.TxOut) == 2 {
		if old.TxOut[1].Value < 0 || uint64(old.TxOut[1].Value) > d.sum(d.fixed) {
			return ErrNotOurSweep
		}
		change = uint64(old.TxOut[1].Value)
	}
	d.old = &Paid{FeeSat: d.sum(d.fixed) - change, VSize: VSize(weightOf(old))}
	if d.old.Reaches(d.perKW) {
		return ErrFeeSufficient
	}
	return nil
}

// finish signs the HTLC input and, with wallet, the others, and runs every
// script.
func (s *secondStage) finish(keys Keys, tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut,
	wallet func(map[wire.OutPoint]*wire.TxOut) ([]wire.TxWitness, error), weight uint64,
) error {
	all := map[wire.OutPoint]*wire.TxOut{tx.TxIn[0].PreviousOutPoint: wire.NewTxOut(int64(s.htlc.HTLC.ValueSat), s.commitScript)}
	for op, out := range prevouts {
		all[op] = out
	}
	if wallet != nil {
		found, err := wallet(all)
		if err != nil {
			return err
		}
		for i, witness := range found {
			if !hashAll(witness) {
				return fmt.Errorf("%w: input %d is not signed with SIGHASH_ALL", ErrSelfCheck, i+1)
			}
			tx.TxIn[i+1].Witness = witness
		}
	}
	signer, err := keys.Signer(s.use)
	if err != nil {
		return fmt.Errorf("%s key: %w", s.use.Name, err)
	}
	defer wipe(signer)
	fetcher := txscript.NewMultiPrevOutFetcher(all)
	sig, err := signWitness(signer, tx, 0, txscript.NewTxSigHashes(tx, fetcher), s.htlc.SpentScript, fetcher)
	if err != nil {
		return fmt.Errorf("%s key: %w", s.use.Name, err)
	}
	tx.TxIn[0].Witness = s.htlc.Witness(s.theirSig, sig, s.preimage)
	return lastLook(tx, all, weight)
}
