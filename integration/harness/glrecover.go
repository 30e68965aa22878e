package harness

import (
	"encoding/json"
	"fmt"
)

// Answer is what the scenarios read of glrecover's answer. Amounts are msat.
type Answer struct {
	DryRun    bool            `json:"dry_run"`
	Channels  []ChannelAnswer `json:"channels"`
	Warnings  []string        `json:"warnings"`
	NextSteps []string        `json:"next_steps"`
	Totals    struct {
		Channels     int `json:"channels"`
		Imported     int `json:"imported"`
		AlreadyThere int `json:"already_there"`
		Waiting      int `json:"waiting"`
		NotImported  int `json:"not_imported"`
	} `json:"totals"`
	Raw json.RawMessage `json:"-"`
	// Printed is what lightning-cli printed, progress and messages included.
	Printed string `json:"-"`
}

// ChannelAnswer is one channel in glrecover's answer.
type ChannelAnswer struct {
	PeerID        string `json:"peer_id"`
	DBID          uint64 `json:"dbid"`
	ChannelID     string `json:"channel_id"`
	FundingTxid   string `json:"funding_txid"`
	FundingOutnum uint32 `json:"funding_outnum"`
	Capacity      Msat   `json:"capacity_msat"`
	Share         Msat   `json:"last_known_share_msat"`
	Address       string `json:"address"`
	AddressSource string `json:"address_source"`
	Funding       struct {
		State     string `json:"state"`
		SpendTxid string `json:"spend_txid"`
		Reason    string `json:"reason"`
	} `json:"funding"`
	Result   string   `json:"result"`
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings"`
	State    string   `json:"state"`
}

// Of returns the answer for the channel with this funding output, or nil.
func (a *Answer) Of(funding Outpoint) *ChannelAnswer {
	for i := range a.Channels {
		if c := &a.Channels[i]; c.FundingTxid == funding.Txid && c.FundingOutnum == funding.Vout {
			return c
		}
	}
	return nil
}

// Results counts the channels by result.
func (a *Answer) Results() map[string]int {
	m := map[string]int{}
	for _, c := range a.Channels {
		m[c.Result]++
	}
	return m
}

// Glrecover calls the product's glrecover method as a user does, with
// lightning-cli.
func (n *CLN) Glrecover(p Params) (*Answer, error) {
	var raw json.RawMessage
	run, err := n.Type("glrecover", p, &raw)
	if err != nil {
		return nil, err
	}
	a := &Answer{Raw: raw, Printed: run.Stdout}
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("glrecover's answer: %w", err)
	}
	return a, nil
}

// Recover calls glrecover with the user's statement and fails the test when it
// is refused.
func (n *CLN) Recover(b Backup) *Answer {
	n.net.T.Helper()
	a, err := n.Glrecover(Params{"backup": b.Path, "decommissioned": true})
	if err != nil {
		n.net.T.Fatalf("%v", err)
	}
	return a
}

// ChannelStatus is one channel in glrecover-status.
type ChannelStatus struct {
	PeerID      string   `json:"peer_id"`
	ChannelID   string   `json:"channel_id"`
	DBID        uint64   `json:"dbid"`
	State       string   `json:"state"`
	WaitsFor    string   `json:"waits_for"`
	Reason      string   `json:"reason"`
	Todo        string   `json:"todo"`
	Freshness   string   `json:"freshness"`
	ClosingTxid string   `json:"closing_txid"`
	ClosingKind string   `json:"closing_kind"`
	Share       Msat     `json:"last_known_share_msat"`
	Recovered   Msat     `json:"recovered_msat"`
	RecoveredTo []string `json:"recovered_outpoints"`
	Expected    Msat     `json:"expected_msat"`
	Unclaimed   Msat     `json:"unclaimed_msat"`
}

// Status is what the scenarios read of glrecover-status.
type Status struct {
	Alarms   []string        `json:"alarms"`
	Channels []ChannelStatus `json:"channels"`
	Notes    []string        `json:"notes"`
	Chain    struct {
		Height   int    `json:"height"`
		LookBack string `json:"look_back"`
		Trouble  string `json:"trouble"`
	} `json:"chain"`
	Totals struct {
		Recovered Msat `json:"recovered_msat"`
		Expected  Msat `json:"expected_msat"`
	} `json:"totals"`
}

// Status calls the product's glrecover-status method with lightning-cli.
func (n *CLN) Status() *Status {
	n.net.T.Helper()
	s := new(Status)
	if _, err := n.Type("glrecover-status", nil, s); err != nil {
		n.net.T.Fatalf("%s: %v", n.Name, err)
	}
	return s
}

// Of returns the status of a channel, or nil.
func (s *Status) Of(channelID string) *ChannelStatus {
	for i := range s.Channels {
		if s.Channels[i].ChannelID == channelID {
			return &s.Channels[i]
		}
	}
	return nil
}

// RawStatus is all that glrecover-status says, as JSON.
func (n *CLN) RawStatus() string {
	n.net.T.Helper()
	var raw json.RawMessage
	if _, err := n.Type("glrecover-status", nil, &raw); err != nil {
		return err.Error()
	}
	return string(raw)
}

// SweepTx is a transaction in glrecover-sweep's answer.
type SweepTx struct {
	ChannelID string   `json:"channel_id"`
	Txid      string   `json:"txid"`
	Hex       string   `json:"hex"`
	Claims    []string `json:"claims"`
	Amount    Msat     `json:"amount_msat"`
	FeeSat    uint64   `json:"fee_sat"`
	PerKW     uint32   `json:"feerate_perkw"`
	Second    bool     `json:"htlc_transaction"`
	Coins     []string `json:"wallet_inputs"`
	Replaces  []string `json:"replaces"`
	Refused   string   `json:"refused"`
}

// Sweeps is what the scenarios read of glrecover-sweep's answer.
type Sweeps struct {
	Destination  string    `json:"destination"`
	Transactions []SweepTx `json:"transactions"`
	Outputs      []struct {
		ChannelID string `json:"channel_id"`
		OutPoint  string `json:"outpoint"`
		What      string `json:"what"`
		Needs     string `json:"needs"`
		Standing  string `json:"standing"`
		Trouble   string `json:"trouble"`
		Sweep     string `json:"sweep_txid"`
	} `json:"outputs"`
	Notes []string `json:"notes"`
}

// Sweeps calls the product's glrecover-sweep method with lightning-cli.
func (n *CLN) Sweeps(preimages ...string) *Sweeps {
	n.net.T.Helper()
	p := Params{}
	if len(preimages) > 0 {
		p["preimage"] = preimages
	}
	s := new(Sweeps)
	if _, err := n.Type("glrecover-sweep", p, s); err != nil {
		n.net.T.Fatalf("%s: %v", n.Name, err)
	}
	return s
}
