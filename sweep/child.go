package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// DefaultReserveBlocks is how long coins are reserved where the request does
// not say: a day.
const DefaultReserveBlocks = 144

// Signer is our funding key of the channel; *keychain.Key is one.
type Signer interface {
	ID() channel.PubKey
	Sign(digest [32]byte) (*ecdsa.Signature, error)
}

// Request describes a child. All fields but Destination, Avoid, ReserveBlocks
// and Replaces are needed.
type Request struct {
	// Parent is the stuck commitment with its witness. It must be the peer's:
	// our own has an anchor of ours too, and nothing here pays for that.
	Parent  *wire.MsgTx
	Channel *channel.Channel
	// Funding is our funding key of the channel (keychain.ChannelKeys.Funding).
	Funding Signer
	// FundingSat is the value of the funding output; the parent's signatures
	// prove it.
	FundingSat uint64
	// FeeratePerKW is what parent and child shall reach together, in sat per
	// 1000 weight, and MaxFeeSat the most that the child may pay.
	FeeratePerKW uint32
	MaxFeeSat    uint64
	// Destination is an address of the wallet, P2WPKH or P2TR. "" is the one of
	// Replaces, or a fresh one; a recorded one keeps the wallet's address counter
	// from running away.
	Destination string
	Network     *chaincfg.Params
	// Avoid names coins to leave alone: outputs of channels under recovery.
	// Outputs of Parent and unconfirmed coins are left alone anyway.
	Avoid func(wire.OutPoint) bool
	// ReserveBlocks is how long the wallet inputs are reserved; 0 is
	// DefaultReserveBlocks. A replacement adds as much.
	ReserveBlocks uint32
	// Replaces is an earlier child for the same parent, as BuildChild signed it.
	// All its inputs are spent again, so at most one of the two can confirm, and
	// it makes no difference whether it is still in a mempool.
	Replaces *wire.MsgTx
}

// Child is a signed child that was not sent.
type Child struct {
	Tx   *wire.MsgTx
	Txid chainhash.Hash
	// Paid is the child's own fee and size, Package that of parent and child.
	Paid, Package Paid
	// Anchor is its first input, Inputs are the wallet's, reserved for the
	// child.
	Anchor wire.OutPoint
	Inputs []wire.OutPoint
	// Destination got OutputSat, in output 0.
	Destination string
	OutputSat   uint64
}

// BuildChild makes the child that lifts Parent to the wanted feerate. Errors
// are ErrNoAnchor, ErrNotCommitment, ErrFeeSufficient, ErrNotOurChild,
// ErrDestination, ErrReservation, ErrSelfCheck, *UneconomicError,
// *NeedsFeeInputError, *InputsSpentError, or the wallet's and the key's own. On
// an error the reservations of this call are taken back; one that lightningd
// made without answering ends by itself.
func BuildChild(ctx context.Context, w Wallet, r Request) (*Child, error) {
	vout, ok := FindAnchor(r.Parent, r.Channel, r.Funding.ID())
	if !ok {
		return nil, ErrNoAnchor
	}
	paid, err := checkParent(r.Parent, r.Channel, r.Funding.ID(), r.FundingSat)
	if err != nil {
		return nil, err
	}
	b := &builder{wallet: w, r: r, parent: paid, anchor: wire.OutPoint{Hash: r.Parent.TxHash(), Index: vout}}
	return b.build(ctx)
}

type builder struct {
	wallet Wallet
	r      Request
	parent Paid
	anchor wire.OutPoint
}

func (b *builder) build(ctx context.Context) (*Child, error) {
	if b.parent.Reaches(b.r.FeeratePerKW) {
		return nil, ErrFeeSufficient
	}
	destination, pkScript, err := b.destination()
	if err != nil {
		return nil, err
	}
	d, available, err := b.draft(ctx, len(pkScript))
	if err != nil {
		return nil, err
	}
	chosen, err := d.choose(available)
	var lacks *NeedsFeeInputError
	if err != nil && !errors.As(err, &lacks) {
		return nil, err
	}
	if destination == "" {
		if destination, err = b.wallet.NewAddress(ctx); err != nil {
			return nil, err
		}
		if pkScript, err = scriptOf(destination, b.r.Network); err != nil {
			return nil, err
		}
	}
	if lacks != nil {
		lacks.Address = destination
		return nil, lacks
	}
	child, err := b.finish(ctx, chosen, len(d.fixed), pkScript)
	if err != nil {
		return nil, err
	}
	child.Destination = destination
	return child, nil
}

// destination is what is settled without the wallet, or nothing.
func (b *builder) destination() (address string, pkScript []byte, err error) {
	address = b.r.Destination
	if address == "" && b.r.Replaces != nil {
		if len(b.r.Replaces.TxOut) != 1 {
			return "", nil, ErrNotOurChild
		}
		_, found, _, err := txscript.ExtractPkScriptAddrs(b.r.Replaces.TxOut[0].PkScript, b.r.Network)
		if err != nil || len(found) != 1 {
			return "", nil, ErrNotOurChild
		}
		address = found[0].EncodeAddress()
	}
	if address == "" {
		return "", nil, nil
	}
	pkScript, err = scriptOf(address, b.r.Network)
	return address, pkScript, err
}

func (b *builder) funds() funds { return funds{b.wallet, b.r.ReserveBlocks} }

// draft asks the wallet for its coins and sorts out those that a child to
// replace spends already.
func (b *builder) draft(ctx context.Context, outputSize int) (*draft, []Coin, error) {
	coins, err := b.wallet.Coins(ctx)
	if err != nil {
		return nil, nil, err
	}
	if outputSize == 0 {
		outputSize = p2trSize // the larger one
	}
	d := &draft{
		ownWeight: anchorWeight, ownSat: bolt3.AnchorSat, parent: b.parent,
		perKW: b.r.FeeratePerKW, maxFeeSat: min(b.r.MaxFeeSat, maxMoney), outputSize: outputSize,
	}
	if b.r.Replaces != nil {
		if err := b.replace(d, coins); err != nil {
			return nil, nil, err
		}
	}
	return d, spendable(coins, b.anchor.Hash, b.r.Avoid), nil
}

// replace finds out what the earlier child spends and pays.
func (b *builder) replace(d *draft, coins []Coin) error {
	have := make(map[wire.OutPoint]Coin, len(coins))
	for _, c := range coins {
		have[c.OutPoint] = c
	}
	old, ours := b.r.Replaces, false
	var gone []wire.OutPoint
	for _, in := range old.TxIn {
		c, ok := have[in.PreviousOutPoint]
		switch {
		case in.PreviousOutPoint == b.anchor:
			ours = true
		case !ok || inputWeight(c.PkScript) == 0 || c.ValueSat > maxMoney:
			gone = append(gone, in.PreviousOutPoint)
		default:
			d.fixed = append(d.fixed, c)
		}
	}
	switch {
	case !ours:
		return ErrNotOurChild
	case len(gone) > 0:
		return &InputsSpentError{Inputs: gone}
	case !old.HasWitness() || len(old.TxOut) != 1 || old.TxOut[0].Value < 0 || uint64(old.TxOut[0].Value) > d.sum(d.fixed):
		return ErrNotOurChild
	}
	d.old = &Paid{FeeSat: d.sum(d.fixed) - uint64(old.TxOut[0].Value), VSize: VSize(weightOf(old))}
	if b.parent.With(*d.old).Reaches(d.perKW) {
		return ErrFeeSufficient
	}
	return nil
}

// finish reserves, signs and checks. The first fixed coins are those of the
// child to replace.
func (b *builder) finish(ctx context.Context, c *choice, fixed int, pkScript []byte) (child *Child, err error) {
	script, err := anchorScript(b.r.Funding.ID())
	if err != nil {
		return nil, err
	}
	tx := wire.NewMsgTx(2)
	prevouts := map[wire.OutPoint]*wire.TxOut{b.anchor: wire.NewTxOut(bolt3.AnchorSat, bolt3.P2WSH(script))}
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: b.anchor, Sequence: sequence})
	inputs := make([]wire.OutPoint, len(c.coins))
	for i, coin := range c.coins {
		inputs[i] = coin.OutPoint
		prevouts[coin.OutPoint] = wire.NewTxOut(int64(coin.ValueSat), coin.PkScript)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: coin.OutPoint, Sequence: sequence})
	}
	tx.AddTxOut(wire.NewTxOut(int64(c.outSat), pkScript))

	release, err := b.funds().reserve(ctx, inputs, fixed)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if err := b.sign(ctx, tx, prevouts, script); err != nil {
		return nil, err
	}
	if err := selfCheck(tx, prevouts, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSelfCheck, err)
	}
	paid := Paid{FeeSat: c.feeSat, VSize: VSize(weightOf(tx))}
	return &Child{
		Tx: tx, Txid: tx.TxHash(), Paid: paid, Package: b.parent.With(paid),
		Anchor: b.anchor, Inputs: inputs, OutputSat: c.outSat,
	}, nil
}

// sign has the wallet sign its inputs and signs the anchor.
func (b *builder) sign(ctx context.Context, tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut, script []byte) error {
	found, err := b.funds().sign(ctx, tx, prevouts)
	if err != nil {
		return err
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewMultiPrevOutFetcher(prevouts))
	digest, err := txscript.CalcWitnessSigHash(script, hashes, txscript.SigHashAll, tx, 0, bolt3.AnchorSat)
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	sig, err := b.r.Funding.Sign([32]byte(digest))
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	tx.TxIn[0].Witness = wire.TxWitness{append(sig.Serialize(), byte(txscript.SigHashAll)), script}
	for i, witness := range found {
		tx.TxIn[i+1].Witness = witness
	}
	return nil
}

// selfCheck is the last look at a child before anybody else sees it.
func selfCheck(tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut, c *choice) error {
	for i, in := range tx.TxIn {
		if i > 0 && !hashAll(in.Witness) {
			return fmt.Errorf("input %d is not signed with SIGHASH_ALL", i)
		}
	}
	if err := runScripts(tx, prevouts); err != nil {
		return err
	}
	if got := weightOf(tx); got > c.weight {
		return fmt.Errorf("weight %d, at most %d was paid for", got, c.weight)
	}
	return nil
}

// scriptOf is the output script of an address of the wallet.
func scriptOf(address string, network *chaincfg.Params) ([]byte, error) {
	pkScript, err := anyScriptOf(address, network)
	if err != nil || inputWeight(pkScript) == 0 {
		return nil, ErrDestination
	}
	return pkScript, nil
}

// CheckAddress matches ErrAddress for a text that is no address of the network that a
// sweep can pay to.
func CheckAddress(address string, network *chaincfg.Params) error {
	_, err := anyScriptOf(address, network)
	return err
}

// anyScriptOf is the output script of any address of the network.
func anyScriptOf(address string, network *chaincfg.Params) ([]byte, error) {
	decoded, err := btcutil.DecodeAddress(address, network)
	segwit := strings.HasPrefix(strings.ToLower(address), network.Bech32HRPSegwit+"1")
	switch {
	case err != nil && segwit || errors.Is(err, btcutil.ErrChecksumMismatch):
		return nil, fmt.Errorf("%w: a character of it is wrong or missing", ErrAddress)
	case err != nil:
		return nil, ErrAddress
	case !decoded.IsForNet(network):
		return nil, fmt.Errorf("%w but of another", ErrAddress)
	}
	if _, key := decoded.(*btcutil.AddressPubKey); key {
		return nil, ErrAddress // the hex of a public key, such as a node id
	}
	pkScript, err := txscript.PayToAddrScript(decoded)
	if err != nil {
		return nil, ErrAddress
	}
	return pkScript, nil
}
