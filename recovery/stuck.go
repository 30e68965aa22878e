package recovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/sweep"
)

const (
	// bumpTime bounds the making of one child.
	bumpTime = 30 * time.Second
	// priceTimes bounds what is paid without a higher estimate, as a multiple of
	// the estimate or of what the close pays itself.
	priceTimes = 4
)

// params are the address parameters of lightningd's networks.
func params(network string) *chaincfg.Params {
	switch network {
	case "bitcoin":
		return &chaincfg.MainNetParams
	case "regtest":
		return &chaincfg.RegressionNetParams
	case "signet":
		return &chaincfg.SigNetParams
	}
	return &chaincfg.TestNet3Params
}

// stuck reports whether the close has been unconfirmed for too long.
func (t *track) stuck(tip uint32) bool {
	return t.Close != nil && t.Close.Height == 0 && tip >= t.Close.SeenAt+stuckBlocks
}

// child is the recorded child of the close, nil if none.
func (t *track) child() *wire.MsgTx {
	if t.Bump == nil {
		return nil
	}
	tx, err := chain.DecodeTx(t.Bump.Raw)
	if err != nil {
		return nil
	}
	return tx
}

// bumpReason says what is done about the fee.
func (t *track) bumpReason() string {
	further, text := "", ""
	switch {
	case t.Bump == nil:
	case t.Bump.Refused != "":
		further, text = " further", fmt.Sprintf("; a child that adds %d sat to its fee (%s) was not taken: %s", t.Bump.FeeSat, t.Bump.Txid, t.Bump.Refused)
	default:
		further, text = " further", fmt.Sprintf("; %d sat were added to its fee through our anchor (%s)", t.Bump.FeeSat, t.Bump.Txid)
	}
	if t.BumpTrouble != "" {
		text += "; its fee cannot be raised" + further + ": " + t.BumpTrouble
	}
	return text
}

// needsCoin reports whether it is a coin that is missing to raise the fee.
func (t *track) needsCoin() bool {
	return t.BumpAddress != "" && strings.HasPrefix(t.BumpTrouble, "needs_fee_input")
}

// bumpAdvice is what a close waits for whose fee cannot be raised, and what the
// user can do; "" where there is no such trouble.
func (t *track) bumpAdvice() (waitsFor, todo string) {
	switch {
	case t.Close == nil || t.Close.Height > 0 || t.BumpTrouble == "":
		return "", ""
	case t.needsCoin():
		return "fee", "pay the amount that the reason names to " + t.BumpAddress + " (this node's wallet); it is used by itself when it is confirmed"
	}
	return "fee", "nothing; it is tried again with each block"
}

// purse is what the wallet has in confirmed coins: another one when a coin came.
type purse struct {
	coins int
	sat   uint64
}

func (f *facts) purse() (p purse) {
	for _, o := range f.wallet {
		if o.Status == "confirmed" {
			p.coins, p.sat = p.coins+1, p.sat+o.Sat
		}
	}
	return p
}

// payForStuck makes a child for each of the peers' commitments that stays
// unconfirmed, and a dearer one each time that it does not help. What it costs
// comes from the node's wallet, and never more than half of what the close owes
// us.
func (s *Service) payForStuck(ctx context.Context, f *facts) {
	if f.keys == nil || s.BuildChild == nil {
		return
	}
	avoid, have := s.recovering(), f.purse()
	for _, k := range s.followed() {
		s.mu.Lock()
		t := s.tracks[k]
		if t == nil {
			s.mu.Unlock()
			continue
		}
		// Once a block. A coin that was missing may come later than its block: the
		// chain is ahead of lightningd's wallet for a moment.
		due := t.stuck(f.tip) && (t.bumped < f.tip || t.needsCoin() && t.purse != have) &&
			(t.Bump == nil || f.tip >= t.Bump.At+stuckBlocks)
		if due {
			t.bumped, t.purse = f.tip, have
		}
		kept, v := t.track, t.verdict
		s.mu.Unlock()
		if !due {
			continue
		}
		if err := s.payFor(ctx, f, k, &kept, v, avoid); err != nil && ctx.Err() == nil {
			s.bumpFailed(ctx, k, err)
		}
		// The reason names what was done, or what coin is missing.
		s.advance(ctx, k, f)
	}
}

// price is what the close and its child shall pay together, in sat per 1000
// weight: lightningd's estimate, or a quarter more than what did not help. A
// bitcoind that was set up for the recovery has no estimate of its own yet; one
// that relays nothing makes any price look too low, and to_remote can wait: hence
// the bound.
func (t *track) price(estimate uint32, parent *wire.MsgTx) uint32 {
	left := t.Channel.CapacitySat
	for _, o := range parent.TxOut {
		left -= min(left, uint64(o.Value))
	}
	weight := uint64(3*parent.SerializeSizeStripped() + parent.SerializeSize()) // BIP 141
	alone := sweep.Paid{FeeSat: left, VSize: sweep.VSize(weight)}.FeeratePerKW()
	vain := alone
	if t.Bump != nil {
		vain = max(vain, t.Bump.PerKW)
	}
	return min(max(estimate, vain+vain/4), priceTimes*max(estimate, alone))
}

// payFor makes, records and sends one child.
func (s *Service) payFor(ctx context.Context, f *facts, k channel.Key, t *track, v *verdict, avoid func(wire.OutPoint) bool) error {
	ctx, cancel := context.WithTimeout(ctx, bumpTime)
	defer cancel()
	parent, err := chain.DecodeTx(t.Close.Raw)
	if err != nil {
		return err
	}
	if v == nil {
		v = t.judge(parent, 0, f.keys)
	}
	if v.Kind != kindTheirs {
		return sweep.ErrNoAnchor
	}
	signer, err := f.keys.Funding(k)
	if err != nil {
		return err
	}
	estimate, err := s.Feerate(ctx)
	if err != nil {
		return err
	}
	perKW := t.price(estimate, parent)
	// What this version cannot claim is no reason to pay.
	var stake uint64
	for _, o := range v.Owed {
		if o.Wallet {
			stake += o.Sat
		}
	}
	child, err := s.BuildChild(ctx, sweep.Request{
		Parent: parent, Channel: &t.Channel, Funding: signer, FundingSat: t.Channel.CapacitySat,
		FeeratePerKW: perKW, MaxFeeSat: stake / 2, Destination: t.BumpAddress,
		Network: params(s.facts.Network), Avoid: avoid, Replaces: t.child(),
	})
	if err != nil {
		return err
	}
	raw, err := chain.EncodeTx(child.Tx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	now := s.tracks[k]
	now.Bump = &bump{Txid: child.Txid.String(), Raw: raw, FeeSat: child.Paid.FeeSat, PerKW: child.Package.FeeratePerKW(), At: f.tip}
	now.BumpTrouble, now.BumpAddress = "", child.Destination
	s.mu.Unlock()
	if err := s.saveTrack(ctx, k); err != nil {
		return err
	}
	s.log.Infof("channel %s: the close %s is stuck; adding %d sat to its fee (%s)", t.Channel.ID(), t.Close.Txid, child.Paid.FeeSat, child.Txid)
	s.noteSent(ctx, k, f.view.SendPackage(ctx, parent, child.Tx))
	return nil
}

// noteSent keeps why the child was not taken, or that it was.
func (s *Service) noteSent(ctx context.Context, k channel.Key, err error) {
	refused := ""
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		refused = err.Error()
	}
	s.mu.Lock()
	t := s.tracks[k]
	if t == nil || t.Bump == nil || t.Bump.Refused == refused {
		s.mu.Unlock()
		return
	}
	// Copies of the track share the old one.
	b := *t.Bump
	b.Refused = refused
	t.Bump = &b
	s.mu.Unlock()
	if err != nil {
		s.log.WithError(err).Infof("channel %s: the child %s was not taken; it is sent again with each block", k, b.Txid)
	}
	s.keep(ctx, k)
}

// bumpFailed notes why a fee was not raised.
func (s *Service) bumpFailed(ctx context.Context, k channel.Key, err error) {
	var coin *sweep.NeedsFeeInputError
	var gone *sweep.InputsGoneError
	s.mu.Lock()
	t := s.tracks[k]
	switch {
	case errors.Is(err, sweep.ErrFeeSufficient):
		t.BumpTrouble = fmt.Sprintf("close and child pay %d times lightningd's estimate, or what the close paid alone, and no more is added while the estimate stays; does bitcoind have peers?", priceTimes)
	case errors.As(err, &gone):
		// Its coins are spent: the next child starts anew.
		t.Bump, t.BumpTrouble = nil, err.Error()
	case errors.As(err, &coin):
		t.BumpAddress, t.BumpTrouble = coin.Address, err.Error()
	default:
		t.BumpTrouble = err.Error()
	}
	s.mu.Unlock()
	s.keep(ctx, k)
}

// recovering says which wallet outputs come from channels under recovery: they
// are left alone until their channel is resolved.
func (s *Service) recovering() func(wire.OutPoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	txids := map[string]bool{}
	for _, t := range s.tracks {
		if t.Close != nil && t.State != Resolved {
			txids[t.Close.Txid] = true
		}
	}
	return func(op wire.OutPoint) bool { return txids[op.Hash.String()] }
}
