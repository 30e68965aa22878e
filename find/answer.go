package find

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
)

// What programs get, from the command line and from the method: amounts are in
// msat, txids in display order.
type (
	// Answer is a Report.
	Answer struct {
		Network     string          `json:"network"`
		Height      uint32          `json:"height"`
		BestBlock   string          `json:"best_block"`
		MempoolSeen bool            `json:"mempool_seen"`
		LastIndex   uint32          `json:"last_index"`
		Channels    []ChannelAnswer `json:"channels"`
		Coins       []CoinAnswer    `json:"coins"`
		Totals      TotalsAnswer    `json:"totals"`
		// Rescan is HEIGHT of the setting rescan=-HEIGHT that brings all that a
		// rescan can; null where there is nothing for it.
		Rescan       *uint32  `json:"rescan"`
		NewaddrCalls uint32   `json:"newaddr_calls"`
		Problems     []string `json:"problems"`
		Warnings     []string `json:"warnings"`
	}
	// ChannelAnswer is what became of a channel.
	ChannelAnswer struct {
		DBID         uint64             `json:"dbid"`
		PeerID       string             `json:"peer_id"`
		ChannelID    string             `json:"channel_id"`
		Funding      string             `json:"funding"`
		CapacityMsat uint64             `json:"capacity_msat"`
		State        chain.FundingState `json:"state"`
		Height       uint32             `json:"height,omitempty"`
		CloseTxID    string             `json:"close_txid,omitempty"`
		CloseHeight  uint32             `json:"close_height,omitempty"`
		Problem      string             `json:"problem,omitempty"`
	}
	// CoinAnswer is a Coin.
	CoinAnswer struct {
		Kind          Kind    `json:"kind"`
		Outpoint      string  `json:"outpoint"`
		AmountMsat    uint64  `json:"amount_msat"`
		ScriptPubKey  string  `json:"scriptpubkey"`
		Height        uint32  `json:"height,omitempty"`
		ChannelID     string  `json:"channel_id,omitempty"`
		DBID          *uint64 `json:"dbid,omitempty"`
		Commitment    *uint64 `json:"commitment,omitempty"`
		SpendableFrom uint32  `json:"spendable_from,omitempty"`
		Wallet        string  `json:"wallet,omitempty"`
		AddressType   string  `json:"address_type,omitempty"`
		Index         *uint32 `json:"index,omitempty"`
		SpentBy       string  `json:"spent_by,omitempty"`
		Rescan        *uint32 `json:"rescan,omitempty"`
	}
	// TotalsAnswer sums what is not spent in the mempool, by kind.
	TotalsAnswer struct {
		ToRemoteMsat uint64 `json:"to_remote_msat"`
		ToLocalMsat  uint64 `json:"to_local_msat"`
		MultisigMsat uint64 `json:"multisig_msat"`
		WalletMsat   uint64 `json:"wallet_msat"`
	}
)

// Answer is the report with what could not be looked for and what else the user
// must know. network is CLN's name.
func (r *Report) Answer(network string, problems []error, warnings []string) *Answer {
	sums := r.Totals()
	a := &Answer{
		Network: network, Height: r.Height, BestBlock: r.BestBlock.String(), MempoolSeen: r.MempoolSeen, LastIndex: r.Indexes,
		Channels: []ChannelAnswer{}, Coins: []CoinAnswer{}, Problems: []string{}, Warnings: append([]string{}, warnings...),
		NewaddrCalls: r.NewAddressCalls(),
		Totals: TotalsAnswer{
			ToRemoteMsat: channel.Msat(sums[ToRemote]), ToLocalMsat: channel.Msat(sums[ToLocal]),
			MultisigMsat: channel.Msat(sums[Multisig]), WalletMsat: channel.Msat(sums[Wallet]),
		},
	}
	if height, ok := r.Rescan(); ok {
		a.Rescan = &height
	}
	for _, err := range problems {
		a.Problems = append(a.Problems, err.Error())
	}
	for _, f := range r.Fundings {
		a.Channels = append(a.Channels, ChannelAnswer{
			DBID: f.Channel.DBID, PeerID: f.Channel.Peer.String(), ChannelID: f.Channel.ID().String(),
			Funding: f.Channel.Funding.String(), CapacityMsat: channel.Msat(f.Channel.CapacitySat),
			State: f.State, Height: f.Height, CloseTxID: hashText(f.Close), CloseHeight: f.CloseHeight, Problem: f.Problem,
		})
	}
	for i := range r.Coins {
		c := &r.Coins[i]
		j := CoinAnswer{
			Kind: c.Kind, Outpoint: c.OutPoint.String(), AmountMsat: channel.Msat(c.ValueSat), ScriptPubKey: hex.EncodeToString(c.Script),
			Height: c.Height, SpendableFrom: c.SpendableFrom, Wallet: c.Wallet, AddressType: c.AddressType, SpentBy: hashText(c.SpentBy),
		}
		if c.Channel != nil {
			j.ChannelID, j.DBID = c.Channel.ID().String(), &c.Channel.DBID
		}
		switch c.Kind {
		case ToLocal:
			j.Commitment = &c.Commitment
		case Wallet:
			j.Index = &c.Index
		}
		if c.Height > 0 && (c.Kind == Wallet || c.Kind == ToRemote) {
			height := c.Rescan()
			j.Rescan = &height
		}
		a.Coins = append(a.Coins, j)
	}
	return a
}

func hashText(h *chainhash.Hash) string {
	if h == nil {
		return ""
	}
	return h.String()
}
