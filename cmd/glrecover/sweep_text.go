package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/txscript"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/offline"
)

// sweepReport is --json of sweep; amounts in msat, fees in sat.
type sweepReport struct {
	Closes       []sweepClose `json:"closes"`
	Transactions []sweepTx    `json:"transactions"`
	Open         []string     `json:"open"`
	NotFound     []string     `json:"not_found"`
	From         uint32       `json:"from_height,omitempty"`
	Tip          uint32       `json:"height,omitempty"`
	Missing      uint32       `json:"pruned_blocks,omitempty"`
	// Wallet are the node's own coins, with --wallet.
	Wallet []walletCoin `json:"wallet,omitempty"`
	// WalletSpent are those that a transaction in bitcoind's mempool spends.
	WalletSpent []walletCoin `json:"wallet_spent,omitempty"`
}

// newSweepReport has empty lists.
func newSweepReport() *sweepReport {
	return &sweepReport{Closes: []sweepClose{}, Transactions: []sweepTx{}, Open: []string{}, NotFound: []string{}}
}

type walletCoin struct {
	Outpoint   string `json:"outpoint"`
	AmountMsat uint64 `json:"amount_msat"`
	// Type is p2wpkh or p2tr.
	Type string `json:"type"`
}

func walletFacts(coins []sweep.Coin) []walletCoin {
	var out []walletCoin
	for _, c := range coins {
		typ := "p2wpkh"
		if txscript.IsPayToTaproot(c.PkScript) {
			typ = "p2tr"
		}
		out = append(out, walletCoin{c.OutPoint.String(), channel.Msat(c.ValueSat), typ})
	}
	return out
}

// walletText is the report of the node's own coins without the transactions.
func (r *sweepReport) walletText(f *sweepFlags) string {
	spent := ""
	if total, list := coinTable(r.WalletSpent); total != "" {
		// Else they would be gone without a word in a second run, or after a theft.
		spent = fmt.Sprintf("%s more: being spent, and waiting for a block. If it was not you, somebody else has the words:\n%s", total, list)
	}
	total, list := coinTable(r.Wallet)
	if total == "" {
		return fmt.Sprintf("No confirmed coin to sweep is on the first 1,000 keys of this node's wallet at block %d.\n%s", r.Tip, spent)
	}
	text := fmt.Sprintf("The node's own wallet has %s:\n%s%s", total, list, spent)
	if f.to == "" {
		return text + addTo
	}
	return text + "\n"
}

// coinTable lists coins; total is "" if there are none.
func coinTable(coins []walletCoin) (total, list string) {
	if len(coins) == 0 {
		return "", ""
	}
	sum, t := uint64(0), &table{indent: "  "}
	for _, c := range coins {
		sum = channel.Sum(sum, c.AmountMsat)
		t.row(c.Outpoint, fmt.Sprintf("%15s  %s", page.Sat(c.AmountMsat/1000), c.Type))
	}
	return page.Sat(sum/1000) + " in " + page.Count(len(coins), "coin", "coins"), t.String()
}

// addTo is for a report without transactions.
const addTo = "Add --to ADDRESS to see the transactions.\n"

type sweepClose struct {
	PeerID   channel.PubKey   `json:"peer_id"`
	DBID     uint64           `json:"dbid"`
	Txid     string           `json:"txid"`
	Kind     onchain.Kind     `json:"kind"`
	Evidence onchain.Evidence `json:"evidence"`
	Reason   string           `json:"reason"`
	Height   uint32           `json:"height,omitempty"`
	Claims   []sweepClaim     `json:"claims"`
}

type sweepClaim struct {
	Outpoint    string            `json:"outpoint"`
	AmountMsat  uint64            `json:"amount_msat"`
	Role        onchain.Role      `json:"role"`
	Direction   onchain.Direction `json:"direction,omitempty"`
	PaymentHash string            `json:"payment_hash,omitempty"`
	Path        onchain.Path      `json:"path"`
	Needs       sweep.Need        `json:"needs,omitempty"`
	From        uint32            `json:"from_height,omitempty"`
	Deadline    uint32            `json:"deadline_height,omitempty"`
	// Blocks is how many blocks after the output it can be claimed, Expiry the
	// height before which it cannot.
	Blocks uint32 `json:"delay_blocks,omitempty"`
	Expiry uint32 `json:"expiry_height,omitempty"`
}

type sweepTx struct {
	Txid       string   `json:"txid,omitempty"`
	Raw        string   `json:"tx,omitempty"`
	Claims     []string `json:"claims"`
	ClaimsMsat uint64   `json:"claims_msat"`
	FeeSat     uint64   `json:"fee_sat"`
	VSize      uint64   `json:"vsize"`
	To         string   `json:"destination,omitempty"`
	PaidMsat   uint64   `json:"paid_msat"`
	LeftOut    []string `json:"left_out,omitempty"`
	Error      string   `json:"error,omitempty"`
	Sent       bool     `json:"sent"`
}

func namesOf(channels []*channel.Channel) []string {
	names := []string{}
	for _, ch := range channels {
		names = append(names, ch.Key.String())
	}
	return names
}

func closeFacts(c *offline.Close) sweepClose {
	out := sweepClose{
		PeerID: c.Channel.Peer, DBID: c.Channel.DBID, Txid: c.Found.TxID.String(), Kind: c.Found.Kind,
		Evidence: c.Found.Evidence, Reason: c.Found.Reason, Height: c.Height, Claims: []sweepClaim{},
	}
	for i := range c.Claims {
		claim := &c.Claims[i]
		o := &claim.Output
		f := sweepClaim{
			Outpoint: o.OutPoint.String(), AmountMsat: channel.Msat(o.ValueSat), Role: o.Role, Direction: o.Direction, Path: o.Path,
			Needs: claim.Needs, From: claim.From, Deadline: claim.Deadline, Blocks: o.CSV, Expiry: o.CLTV,
		}
		if o.HTLC != nil {
			f.PaymentHash = hex.EncodeToString(o.HTLC.PaymentHash[:])
		}
		out.Claims = append(out.Claims, f)
	}
	return out
}

func txFacts(b offline.Built, wallet bool) (sweepTx, error) {
	t := sweepTx{Claims: []string{}}
	claims := b.Claims
	if b.Tx != nil {
		claims = b.Tx.Claims
	}
	for i := range claims {
		t.Claims = append(t.Claims, claims[i].Output.OutPoint.String())
		t.ClaimsMsat = channel.Sum(t.ClaimsMsat, channel.Msat(claims[i].Output.ValueSat))
	}
	if b.Err != nil {
		t.Error = b.Err.Error()
		if !wallet && errors.As(b.Err, new(*sweep.NeedsFeeInputError)) {
			t.Error = "needs_fee_input: this HTLC transaction pays no fee; with --bitcoind a coin of the seed's wallet is looked for"
		}
		return t, nil
	}
	raw, err := chain.EncodeTx(b.Tx.Tx)
	if err != nil {
		return t, err
	}
	t.Txid, t.Raw, t.FeeSat, t.VSize = b.Tx.Txid.String(), raw, b.Tx.Paid.FeeSat, b.Tx.Paid.VSize
	t.To, t.PaidMsat = b.Tx.Destination, channel.Msat(b.Tx.OutputSat)
	for _, u := range b.Tx.Uneconomic {
		t.LeftOut = append(t.LeftOut, u.Claim.Output.OutPoint.String()+": "+u.Err.Error())
	}
	return t, nil
}

// words name an output for a person.
func (f *sweepClaim) words() string {
	switch {
	case f.Role == onchain.HTLCTransaction:
		return "output of an HTLC transaction"
	case f.Direction != "":
		return "HTLC " + string(f.Direction)
	case f.Role == onchain.Unnamed:
		return "unknown output"
	}
	return strings.ReplaceAll(string(f.Role), "_", " ")
}

// needWords say what is missing.
var needWords = map[sweep.Need]string{
	sweep.NeedPreimage:      "it is yours with the preimage of ",
	sweep.NeedPeerSignature: "only the peer can sign its transaction, and the backup has no signature of it",
	sweep.NeedSecret:        "the peer revoked it, but the backup is too old to contain the secret",
	sweep.NeedName:          "nothing in the backup explains it",
	sweep.NeedOtherWallet:   "it pays an address of another wallet of yours",
}

// when says from when and until when.
func (f *sweepClaim) when(tip uint32) string {
	switch {
	case f.Needs == sweep.NeedPreimage:
		return needWords[f.Needs] + f.PaymentHash
	case f.Needs != sweep.NeedNothing && f.Needs != sweep.NeedFeeInput:
		return needWords[f.Needs]
	}
	var parts []string
	switch {
	case f.From > tip+1:
		parts = append(parts, fmt.Sprintf("from block %d on", f.From))
	case f.From > 0:
		parts = append(parts, "now")
	default:
		if f.Blocks > 0 {
			parts = append(parts, page.Count(int(f.Blocks), "block", "blocks")+" after it")
		}
		if f.Expiry > 0 {
			parts = append(parts, fmt.Sprintf("from block %d on", f.Expiry+1))
		}
		if len(parts) == 0 {
			parts = append(parts, "at once")
		}
	}
	switch {
	case f.Path == onchain.PathPenalty && f.Deadline > 0:
		parts = append(parts, fmt.Sprintf("A PENALTY: it must be in a block before %d", f.Deadline))
	case f.Path == onchain.PathPenalty:
		parts = append(parts, "A PENALTY: be quick")
	case f.Path == onchain.PathSuccess && f.Deadline > 0:
		parts = append(parts, fmt.Sprintf("in a block before %d", f.Deadline))
	}
	if f.Needs == sweep.NeedFeeInput {
		parts = append(parts, "a coin of the wallet pays the fee")
	}
	return strings.Join(parts, ", ")
}

// text is the report without the transactions.
func (r *sweepReport) text(f *sweepFlags) string {
	var s strings.Builder
	for i := range r.Closes {
		c := &r.Closes[i]
		fmt.Fprintf(&s, "channel %d with %s\n", c.DBID, c.PeerID)
		place := ""
		if c.Height > 0 {
			place = fmt.Sprintf(", in block %d", c.Height)
		}
		fmt.Fprintf(&s, "  closed by %s%s\n  %s: %s\n", c.Txid, place, strings.ReplaceAll(string(c.Kind), "_", " "), plain(c.Reason))
		if c.Kind == onchain.TheirsRevoked {
			s.WriteString("  THE PEER CHEATED: all of it is yours if you claim it in time.\n")
		}
		outputs := &table{indent: "  "}
		for j := range c.Claims {
			claim := &c.Claims[j]
			outputs.row(claim.words(), fmt.Sprintf("%15s  %s", page.Sat(claim.AmountMsat/1000), claim.when(r.Tip)))
		}
		if len(c.Claims) == 0 {
			outputs.row("nothing in it is yours, or everything was claimed already", "")
		}
		s.WriteString(outputs.String() + "\n")
	}
	if r.From > 0 {
		fmt.Fprintf(&s, "Blocks %d to %d were scanned.\n", r.From, r.Tip)
	}
	if r.Missing > 0 {
		fmt.Fprintf(&s, "%s of them could not be read: bitcoind has pruned them.\n", page.Thousands(uint64(r.Missing)))
	}
	for _, name := range r.Open {
		fmt.Fprintf(&s, "channel %s is open: its funding output is unspent.\n", name)
	}
	for _, name := range r.NotFound {
		fmt.Fprintf(&s, "channel %s: no close was found in these blocks. Start from an earlier one with --from.\n", name)
	}
	if f.to == "" {
		s.WriteString(addTo)
	}
	return s.String()
}

// text is one transaction.
func (t *sweepTx) text() string {
	var s strings.Builder
	if t.Raw == "" {
		fmt.Fprintf(&s, "no transaction for %s:\n", strings.Join(t.Claims, ", "))
		return s.String()
	}
	fmt.Fprintf(&s, "transaction %s\n  takes %s from %s\n  pays a fee of %s (%.1f sat/vB)", t.Txid,
		page.Sat(t.ClaimsMsat/1000), strings.Join(t.Claims, ", "), page.Sat(t.FeeSat), float64(t.FeeSat)/float64(t.VSize))
	if t.To != "" {
		fmt.Fprintf(&s, " and %s to %s\n", page.Sat(t.PaidMsat/1000), t.To)
	} else {
		s.WriteString("; its output is yours after the delay: run this command again then\n")
	}
	for _, left := range t.LeftOut {
		fmt.Fprintf(&s, "  left out %s\n", left)
	}
	s.WriteString(t.Raw + "\n")
	return s.String()
}

// outcome is what came of it.
func (t *sweepTx) outcome(broadcast bool) string {
	switch {
	case t.Error != "":
		return "  " + plain(t.Error) + "\n\n"
	case t.Sent:
		return "  sent\n\n"
	case broadcast:
		return "  not sent\n\n"
	}
	return "\n"
}
