package sweep

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
)

// Need is what a claim lacks. The values are stable names.
type Need string

// What claims can lack.
const (
	// NeedNothing: Build makes the transaction once the height is reached.
	NeedNothing Need = ""
	// NeedFeeInput: Build makes it, and a coin of the wallet pays the fee: an
	// HTLC transaction that itself pays none.
	NeedFeeInput Need = "fee_input"
	// NeedPreimage: the HTLC is ours with the preimage of its payment hash.
	NeedPreimage Need = "preimage"
	// NeedPeerSignature: an HTLC of a commitment of ours that the backup does
	// not hold; only the peer can sign its HTLC transaction.
	NeedPeerSignature Need = "peer_signature"
	// NeedSecret: the peer revoked this commitment after the backup was
	// written; the penalty needs the secret that the hosted node was told.
	NeedSecret Need = "revocation_secret"
	// NeedName: nothing in hand explains the output. It may be ours.
	NeedName Need = "unnamed"
	// NeedLightningd: it is lightningd's, which gives it to its wallet.
	NeedLightningd Need = "lightningd"
	// NeedOtherWallet: it was paid to an address that is not of this seed.
	NeedOtherWallet Need = "other_wallet"
)

// Claim is one output of a close, or of an HTLC transaction after it, that is
// or can become ours.
type Claim struct {
	Channel channel.Key
	// Kind is what the close is.
	Kind   onchain.Kind
	Output onchain.Output
	Needs  Need
	// From is the lowest height of a block that can hold the claim; 0 while
	// the transaction that made the output is unconfirmed.
	From uint32
	// Deadline is the first height of a block in which somebody else can take
	// the output: the claim has to be in a block before. From that height on it
	// is a race. 0 means that nobody else can, or that the height is not known
	// yet.
	Deadline uint32

	funding wire.OutPoint
	// One of the two is set where Ready.
	spend  *spend
	second *secondStage
}

// WalletClaims claim confirmed coins of the wallet itself: P2WPKH and P2TR outputs,
// and no others.
func WalletClaims(coins []Coin) []Claim {
	var claims []Claim
	for _, c := range coins {
		if c.Confirmed && inputWeight(c.PkScript) > 0 {
			output := onchain.Output{OutPoint: c.OutPoint, ValueSat: c.ValueSat, PkScript: c.PkScript, Path: onchain.PathScript}
			claims = append(claims, Claim{Output: output, From: 1, spend: walletSpend(c.PkScript)})
		}
	}
	return claims
}

// Ready reports whether Build can make the transaction.
func (c *Claim) Ready() bool { return c.Needs == NeedNothing || c.Needs == NeedFeeInput }

// HTLCTransaction reports whether the claim is an HTLC transaction, which the peer
// has signed too.
func (c *Claim) HTLCTransaction() bool { return c.second != nil }

// Alone reports whether the claim needs a transaction of its own: because it
// has one that the peer signed, or because others can spend the output first,
// and would take whatever is in the same transaction down with it.
func (c *Claim) Alone() bool {
	switch c.Output.Path {
	case onchain.PathPenalty, onchain.PathTimeout, onchain.PathSuccess:
		return true
	case onchain.PathPayment, onchain.PathDelayed, onchain.PathAnchor, onchain.PathScript, onchain.PathNone:
	}
	return c.Deadline != 0
}

// HurryBlocks is how near a deadline makes an HTLC "expiring": a quarter of a
// day.
const HurryBlocks = 36

// Urgent reports whether the claim, with the chain at this height, is a penalty
// or an expiring HTLC: one for which a high fee beats losing it.
func (c *Claim) Urgent(height uint32) bool { return Urgent(c.Output.Path, c.Deadline, height) }

// Urgent is Claim.Urgent of an output with this path and deadline.
func Urgent(path onchain.Path, deadline, height uint32) bool {
	switch path {
	case onchain.PathPenalty, onchain.PathTimeout:
		return true
	case onchain.PathSuccess:
		return deadline <= height+HurryBlocks
	case onchain.PathPayment, onchain.PathDelayed, onchain.PathAnchor, onchain.PathScript, onchain.PathNone:
	}
	return false
}

// Preimages are preimages by their SHA-256. They never print.
type Preimages map[[32]byte][32]byte

// NewPreimages collects values of any origin.
func NewPreimages(values ...[32]byte) Preimages {
	p := Preimages{}
	p.Add(values...)
	return p
}

// Add adds values; those that fit no payment do no harm.
func (p Preimages) Add(values ...[32]byte) {
	for _, v := range values {
		p[sha256.Sum256(v[:])] = v
	}
}

// Hashes are what onchain.Keys takes, in a fixed order.
func (p Preimages) Hashes() [][32]byte {
	hashes := make([][32]byte, 0, len(p))
	for h := range p {
		hashes = append(hashes, h)
	}
	slices.SortFunc(hashes, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return hashes
}

// Format prints how many there are, for every verb.
func (p Preimages) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%d preimages]", len(p)) }

// Spend is a transaction in a block that spends outputs of a close, or of an
// HTLC transaction after it.
type Spend struct {
	Tx     *wire.MsgTx
	Height uint32
}

// Case is a close with all that is known of it.
type Case struct {
	Channel *channel.Channel
	// Keys are the ones that Close was classified with.
	Keys  onchain.Keys
	Close *onchain.Close
	// Height is that of the close's block, 0 while it is unconfirmed.
	Height uint32
	// Spends are in blocks. The preimages that they show are used too.
	Spends []Spend
	// Preimages come from the user, the backup, and other channels' closes.
	Preimages Preimages
	// LightningdTakes says that outputs which its wallet can spend are
	// lightningd's: to_remote, and what a mutual close pays to us.
	LightningdTakes bool
}

// Claims lists the unspent outputs that are or can become ours, in the order of
// the close's outputs and then of the HTLC transactions. Our anchor is not among
// them: it pays for a stuck close (BuildChild). The error is about a key that
// is none.
func Claims(c Case) ([]Claim, error) {
	w := &work{c: c, preimages: NewPreimages()}
	for _, p := range c.Preimages {
		w.preimages.Add(p)
	}
	spends := slices.Clone(c.Spends)
	slices.SortStableFunc(spends, func(a, b Spend) int {
		x, y := a.Tx.TxHash(), b.Tx.TxHash()
		return cmp.Or(cmp.Compare(a.Height, b.Height), bytes.Compare(x[:], y[:]))
	})
	spends = slices.CompactFunc(spends, func(a, b Spend) bool { return a.Tx.TxHash() == b.Tx.TxHash() })
	spent := map[wire.OutPoint]bool{}
	for _, s := range spends {
		w.preimages.Add(onchain.Preimages(s.Tx)...)
		for _, in := range s.Tx.TxIn {
			spent[in.PreviousOutPoint] = true
		}
	}
	var claims []Claim
	add := func(outputs []onchain.Output, height uint32) error {
		for _, o := range outputs {
			if spent[o.OutPoint] {
				continue
			}
			claim, err := w.claim(o, height)
			if err != nil {
				return err
			}
			if claim != nil {
				claims = append(claims, *claim)
			}
		}
		return nil
	}
	if err := add(c.Close.Outputs, c.Height); err != nil {
		return nil, err
	}
	for _, s := range spends {
		step, err := onchain.Follow(c.Channel, c.Keys, c.Close, s.Tx)
		if errors.Is(err, onchain.ErrNotASpend) {
			continue // it spends the output of an HTLC transaction
		}
		if err != nil {
			return nil, err
		}
		if err := add(step.Outputs, s.Height); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// work is one call of Claims.
type work struct {
	c         Case
	preimages Preimages
	// commit is our commitment rebuilt, once it was needed.
	commit *bolt3.CommitTx
}

// claim is nil where the output is the peer's, or our anchor. height is that of
// the block which made the output.
func (w *work) claim(o onchain.Output, height uint32) (*Claim, error) {
	c := &Claim{Channel: w.c.Channel.Key, Kind: w.c.Close.Kind, Output: o, funding: w.c.Channel.Funding}
	if height > 0 {
		c.From, _ = o.SpendableFrom(height)
	}
	c.Deadline = w.deadline(c, height)
	var err error
	switch o.Path {
	case onchain.PathAnchor:
		return nil, nil
	case onchain.PathNone:
		if c.Needs = w.lacks(o); c.Needs == NeedNothing {
			return nil, nil
		}
		c.Deadline = 0
	case onchain.PathTimeout, onchain.PathSuccess:
		if _, known := w.preimages[o.HTLC.PaymentHash]; o.Path == onchain.PathSuccess && !known {
			c.Needs = NeedPreimage
			return c, nil
		}
		if o.SecondStage {
			c.second, c.Needs, err = w.secondStage(o)
			return c, err
		}
		c.spend, err = w.spend(o)
	case onchain.PathPayment, onchain.PathScript:
		switch {
		case o.Claimant == onchain.ByElsewhere:
			c.Needs = NeedOtherWallet
		case w.c.LightningdTakes:
			c.Needs = NeedLightningd
		default:
			c.spend, err = w.spend(o)
		}
	case onchain.PathDelayed, onchain.PathPenalty:
		c.spend, err = w.spend(o)
	}
	return c, err
}

// deadline is Claim.Deadline.
func (w *work) deadline(c *Claim, height uint32) uint32 {
	switch c.Output.Path {
	case onchain.PathPenalty:
		if height > 0 {
			return w.c.Close.PenaltyDeadline(height)
		}
	case onchain.PathSuccess:
		// The other side can reclaim it in the block after the expiry. Where
		// the expiry is not known, that may be now.
		if expiry := c.Output.HTLC.CLTVExpiry; expiry > 0 {
			return expiry + 1
		}
		return c.From
	case onchain.PathTimeout:
		return c.From // with the preimage it can be taken at any time
	case onchain.PathDelayed:
		if w.c.Close.Kind == onchain.OursOld {
			return height // revoked by us: the peer can punish
		}
	case onchain.PathPayment, onchain.PathAnchor, onchain.PathScript, onchain.PathNone:
	}
	return 0
}

// lacks says why there is no claim to an output that may be ours.
func (w *work) lacks(o onchain.Output) Need {
	switch {
	case o.Role == onchain.Unnamed, o.Role == onchain.Closing && o.Owner == onchain.OwnerUnknown:
		return NeedName
	case o.HTLC != nil && o.Owner == onchain.OwnerEither:
		return NeedPeerSignature
	case w.c.Close.Kind == onchain.TheirsRevoked && o.Role == onchain.ToLocal:
		return NeedSecret
	}
	return NeedNothing
}

// secondStage finds the peer's signature on our HTLC transaction.
func (w *work) secondStage(o onchain.Output) (*secondStage, Need, error) {
	stored, sigs := w.c.Channel.State.HolderCommit, w.c.Channel.State.HolderSigs
	if w.c.Close.Kind == onchain.OursNext {
		stored, sigs = w.c.Channel.State.NextHolderCommit, w.c.Channel.State.NextHolderSigs
	}
	if stored == nil || sigs == nil || w.c.Close.Point == nil {
		return nil, NeedPeerSignature, nil
	}
	if w.commit == nil {
		built, err := bolt3.BuildCommitment(w.c.Channel, w.c.Keys.Ours, stored, w.c.Close.Number, *w.c.Close.Point)
		if err != nil {
			return nil, "", err
		}
		w.commit = built
	}
	vout := int(o.OutPoint.Index)
	place := slices.Index(w.commit.HTLCVouts(), vout)
	if w.commit.Tx.TxHash() != w.c.Close.TxID || place < 0 || place >= len(sigs.HTLCs) {
		return nil, NeedPeerSignature, nil
	}
	htlc, err := w.commit.HTLCTx(vout)
	if err != nil {
		return nil, "", err
	}
	s := &secondStage{
		htlc: htlc, typ: w.c.Channel.Type, use: w.use(HTLCKey), commitScript: o.PkScript,
		theirSig: bolt3.WithHashType(sigs.HTLCs[place], bolt3.HTLCSigHashType(w.c.Channel.Type)),
	}
	if htlc.Success {
		s.preimage = w.preimages[htlc.HTLC.PaymentHash]
	}
	if w.c.Channel.Type == channel.AnchorsZeroFeeHTLC {
		return s, NeedFeeInput, nil
	}
	return s, NeedNothing, nil
}

func (w *work) use(name KeyName) KeyUse {
	use := KeyUse{Channel: w.c.Channel.Key, Name: name}
	if w.c.Close.Point != nil {
		use.Point = *w.c.Close.Point
	}
	return use
}
