package tell

import (
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// Sweeps are outputs that glrecover claims, or cannot, and the transactions.
type Sweeps struct {
	Outputs      []SweepOutput `json:"outputs"`
	Transactions []SweepTx     `json:"transactions"`
}

// SweepOutput is an output with its channel.
type SweepOutput struct {
	ChannelID string `json:"channel_id"`
	StatusOutput
}

// SweepTx is a transaction that claims outputs.
type SweepTx struct {
	ChannelID string   `json:"channel_id"`
	Txid      string   `json:"txid"`
	Hex       string   `json:"hex"`
	Claims    []string `json:"claims"`
	// AmountMsat is what it claims, FeeSat what of that, and of the wallet's coins, it
	// pays.
	AmountMsat uint64 `json:"amount_msat"`
	FeeSat     uint64 `json:"fee_sat"`
	PerKW      uint32 `json:"feerate_perkw"`
	// Second says that it is an HTLC transaction: its own output is claimed later.
	Second bool     `json:"htlc_transaction,omitempty"`
	Coins  []string `json:"wallet_inputs,omitempty"`
	// Height is where it was made and sent first; 0 for one that was not sent.
	Height   uint32   `json:"sent_at_height,omitempty"`
	Deadline uint32   `json:"deadline_block,omitempty"`
	Replaces []string `json:"replaces,omitempty"`
	Refused  string   `json:"refused,omitempty"`
}

// Add adds what a channel's close leaves to be claimed, and how it is.
func (s *Sweeps) Add(c *state.Channel) {
	id := c.Channel.ID().String()
	for i := range c.Settled {
		if o := &c.Settled[i]; o.Claimant == judge.BySweep || (o.Claimant == judge.ByNobody && !o.Unnamed) {
			s.Outputs = append(s.Outputs, SweepOutput{id, outputOf(c, o)})
		}
	}
	for i := range c.Sweeps {
		w := &c.Sweeps[i]
		tx := SweepTx{
			ChannelID: id, Txid: w.Txid, Hex: w.Raw, Claims: w.OutPoints, AmountMsat: msat(w.TotalSat), FeeSat: w.FeeSat, PerKW: w.PerKW,
			Second: w.Second, Coins: w.Coins, Height: w.At, Deadline: w.Deadline, Refused: w.Refused,
		}
		for _, e := range w.Earlier {
			tx.Replaces = append(tx.Replaces, e.Txid)
		}
		s.Transactions = append(s.Transactions, tx)
	}
}

// Made shows a transaction that was not sent.
func Made(c *state.Channel, made *claims.SweepTx) (SweepTx, error) {
	w, err := model.NewSweep(made)
	if err != nil {
		return SweepTx{}, err
	}
	tx := SweepTx{
		ChannelID: c.Channel.ID().String(), Txid: w.Txid, Hex: w.Raw, Claims: w.OutPoints, FeeSat: w.FeeSat, PerKW: w.PerKW,
		Second: w.Second, Coins: w.Coins, Deadline: w.Deadline,
	}
	for i := range made.Claims {
		tx.AmountMsat = channel.Sum(tx.AmountMsat, msat(made.Claims[i].Output.ValueSat))
	}
	return tx, nil
}
