package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Msat is an amount in thousandths of a satoshi, as lightningd answers it.
type Msat uint64

// Sat is the amount in whole satoshis.
func (m Msat) Sat() uint64 { return uint64(m) / 1000 }

// PeerChannel is an entry of listpeerchannels.
type PeerChannel struct {
	PeerID      string `json:"peer_id"`
	Connected   bool   `json:"peer_connected"`
	ChannelID   string `json:"channel_id"`
	SCID        string `json:"short_channel_id"`
	State       string `json:"state"`
	FundingTxid string `json:"funding_txid"`
	FundingVout uint32 `json:"funding_outnum"`
	ToUs        Msat   `json:"to_us_msat"`
	Total       Msat   `json:"total_msat"`
	Opener      string `json:"opener"`
	HTLCs       []struct {
		Direction string `json:"direction"`
		Amount    Msat   `json:"amount_msat"`
		State     string `json:"state"`
	} `json:"htlcs"`
	Status []string `json:"status"`
}

// Funding is the channel's funding output.
func (c *PeerChannel) Funding() Outpoint { return Outpoint{c.FundingTxid, c.FundingVout} }

// Channels is listpeerchannels.
func (n *CLN) Channels() []PeerChannel {
	n.net.T.Helper()
	var a struct {
		Channels []PeerChannel `json:"channels"`
	}
	n.Must("listpeerchannels", nil, &a)
	return a.Channels
}

// Channel returns the channel with this funding output, or nil.
func (n *CLN) Channel(funding Outpoint) *PeerChannel {
	n.net.T.Helper()
	for _, c := range n.Channels() {
		if c.Funding() == funding {
			return &c
		}
	}
	return nil
}

// WaitState waits until the channel is in one of the states.
func (n *CLN) WaitState(funding Outpoint, states ...string) {
	n.net.T.Helper()
	Wait(n.net.T, fmt.Sprintf("%s's channel to be %s", n.Name, strings.Join(states, " or ")), func() error {
		c := n.Channel(funding)
		if c == nil {
			return errors.New("no such channel")
		}
		for _, s := range states {
			if c.State == s {
				return nil
			}
		}
		return fmt.Errorf("%s %v", c.State, c.Status)
	})
}

// FundsOutput is an output of listfunds.
type FundsOutput struct {
	Txid     string `json:"txid"`
	Vout     uint32 `json:"output"`
	Amount   Msat   `json:"amount_msat"`
	Status   string `json:"status"`
	Reserved bool   `json:"reserved"`
}

// Outputs are the wallet's outputs in listfunds, spent ones included.
func (n *CLN) Outputs() []FundsOutput {
	n.net.T.Helper()
	var a struct {
		Outputs []FundsOutput `json:"outputs"`
	}
	n.Must("listfunds", Params{"spent": true}, &a)
	return a.Outputs
}

// Balance is the sum, in sat, of the wallet's confirmed unspent outputs.
func (n *CLN) Balance() uint64 {
	n.net.T.Helper()
	var sum uint64
	for _, o := range n.Outputs() {
		if o.Status == "confirmed" {
			sum += o.Amount.Sat()
		}
	}
	return sum
}

// NewAddress returns a fresh bech32 address.
func (n *CLN) NewAddress() string {
	n.net.T.Helper()
	var a struct {
		Bech32 string `json:"bech32"`
	}
	n.Must("newaddr", Params{"addresstype": "bech32"}, &a)
	return a.Bech32
}

// FundWallet pays sat to the node and waits until it sees the coins confirmed.
func (n *CLN) FundWallet(sat uint64) {
	n.net.T.Helper()
	n.net.fund(n, n.NewAddress(), sat)
}

// Connect connects to a peer.
func (n *CLN) Connect(peer Node) {
	n.net.T.Helper()
	n.Must("connect", Params{"id": peer.NodeID() + "@" + peer.Address()}, nil)
}

// Disconnect hangs up on a peer, whatever channels there are.
func (n *CLN) Disconnect(peer Node) {
	n.net.T.Helper()
	n.Must("disconnect", Params{"id": peer.NodeID(), "force": true}, nil)
}

// Connected reports whether the peer is connected.
func (n *CLN) Connected(peer Node) bool {
	n.net.T.Helper()
	var a struct {
		Peers []struct {
			Connected bool `json:"connected"`
		} `json:"peers"`
	}
	n.Must("listpeers", Params{"id": peer.NodeID()}, &a)
	return len(a.Peers) == 1 && a.Peers[0].Connected
}

// open broadcasts the funding of a new channel and returns its outpoint.
func (n *CLN) open(peer Node, o OpenOptions) (Outpoint, error) {
	var a struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"outnum"`
	}
	p := Params{"id": peer.NodeID(), "amount": o.Sat, "announce": o.Announce}
	if o.PushSat > 0 {
		p["push_msat"] = o.PushSat * 1000
	}
	if o.StaticRemoteKey {
		p["channel_type"] = []int{12}
	}
	err := n.Call("fundchannel", p, &a)
	return Outpoint{a.Txid, a.Vout}, err
}

func (n *CLN) active(funding Outpoint) error {
	c := n.Channel(funding)
	if c == nil {
		return errors.New("no such channel")
	}
	if c.State != "CHANNELD_NORMAL" || !c.Connected {
		return fmt.Errorf("%s %v", c.State, c.Status)
	}
	return nil
}

func (n *CLN) settled(funding Outpoint) error {
	c := n.Channel(funding)
	if c == nil {
		return errors.New("no such channel")
	}
	if len(c.HTLCs) > 0 {
		return fmt.Errorf("%d HTLCs pending", len(c.HTLCs))
	}
	return nil
}

// Invoice makes an invoice.
func (n *CLN) Invoice(msat uint64) string {
	n.net.T.Helper()
	var a struct {
		Bolt11 string `json:"bolt11"`
	}
	n.Must("invoice", Params{"amount_msat": msat, "label": randomHex(8), "description": "harness"}, &a)
	return a.Bolt11
}

// Pay pays an invoice and waits for the result.
func (n *CLN) Pay(invoice string) error {
	return n.Call("xpay", Params{"invstring": invoice}, nil)
}

// MutualClose closes a channel together with the peer and returns the closing
// txid; unconfirmed.
func (n *CLN) MutualClose(funding Outpoint) string { return n.closeChannel(funding, 0) }

// ForceClose broadcasts the node's own commitment and returns its txid;
// unconfirmed. The peer should be disconnected or down, else it agrees to a
// mutual close.
func (n *CLN) ForceClose(funding Outpoint) string { return n.closeChannel(funding, 1) }

func (n *CLN) closeChannel(funding Outpoint, unilateralAfter int) string {
	n.net.T.Helper()
	c := n.Channel(funding)
	if c == nil {
		n.net.T.Fatalf("%s: no channel %s", n.Name, funding)
		return ""
	}
	refused := n.Call("close", Params{"id": c.ChannelID, "unilateraltimeout": unilateralAfter}, nil)
	var txid string
	Wait(n.net.T, "the close in the mempool", func() (err error) {
		// A node that closes by itself at this moment does not know the channel any more.
		if txid, err = n.net.Bitcoind.Spender(funding); err != nil && refused != nil {
			return refused
		}
		return err
	})
	return txid
}

// RecoverChannel is lightningd's own recoverchannel; it returns the channel
// ids of the stubs.
func (n *CLN) RecoverChannel(scb []string) ([]string, error) {
	var a struct {
		Stubs []string `json:"stubs"`
	}
	err := n.Call("recoverchannel", Params{"scb": scb}, &a)
	return a.Stubs, err
}

// StaticBackup is lightningd's own staticbackup.
func (n *CLN) StaticBackup() []string {
	n.net.T.Helper()
	var a struct {
		SCB []string `json:"scb"`
	}
	n.Must("staticbackup", nil, &a)
	return a.SCB
}

// Snapshot is what must not change when a request was refused: channels,
// wallet, closed channels, peers and the datastore, as JSON.
func (n *CLN) Snapshot() string {
	n.net.T.Helper()
	var sb strings.Builder
	for _, method := range []string{"listpeerchannels", "listclosedchannels", "listfunds", "listpeers", "listdatastore", "staticbackup"} {
		var raw json.RawMessage
		n.Must(method, nil, &raw)
		fmt.Fprintf(&sb, "%s %s\n", method, raw)
	}
	return sb.String()
}

// HasOutputOf returns nil when the wallet holds a confirmed output of the
// transaction.
func (n *CLN) HasOutputOf(txid string) error {
	n.net.T.Helper()
	if o := n.outputOf(txid); o == nil {
		return fmt.Errorf("no output of %s", txid)
	} else if o.Status != "confirmed" {
		return fmt.Errorf("%s:%d is %s", o.Txid, o.Vout, o.Status)
	}
	return nil
}

// LacksOutputOf returns nil while the wallet holds no output of txid.
func (n *CLN) LacksOutputOf(txid string) error {
	n.net.T.Helper()
	if o := n.outputOf(txid); o != nil {
		return fmt.Errorf("%d sat in %s:%d", o.Amount.Sat(), o.Txid, o.Vout)
	}
	return nil
}

func (n *CLN) outputOf(txid string) *FundsOutput {
	n.net.T.Helper()
	for _, o := range n.Outputs() {
		if o.Txid == txid {
			return &o
		}
	}
	return nil
}

// Received is the sum, in sat, of the wallet's outputs of one transaction,
// spent ones included.
func (n *CLN) Received(txid string) uint64 {
	n.net.T.Helper()
	var sum uint64
	for _, o := range n.Outputs() {
		if o.Txid == txid {
			sum += o.Amount.Sat()
		}
	}
	return sum
}

// Plugins are the active plugins by their programs' names.
func (n *CLN) Plugins() map[string]bool {
	n.net.T.Helper()
	var a struct {
		Plugins []struct {
			Name   string `json:"name"`
			Active bool   `json:"active"`
		} `json:"plugins"`
	}
	n.Must("plugin", Params{"subcommand": "list"}, &a)
	active := map[string]bool{}
	for _, p := range a.Plugins {
		if p.Active {
			active[filepath.Base(p.Name)] = true
		}
	}
	return active
}

// SignedCommitment is the node's own commitment of its channel with a peer, signed by
// both and not sent, as hex.
func (n *CLN) SignedCommitment(peer string) string {
	n.net.T.Helper()
	var a struct {
		Tx string `json:"tx"`
	}
	n.Must("dev-sign-last-tx", Params{"id": peer}, &a)
	return a.Tx
}

// ReceivedOf is the sum, in sat, of the wallet's outputs of a close and of the
// transactions that spend it.
func (n *CLN) ReceivedOf(closing string) uint64 {
	n.net.T.Helper()
	var a struct {
		Transactions []struct {
			Hash   string `json:"hash"`
			Inputs []struct {
				Txid string `json:"txid"`
			} `json:"inputs"`
		} `json:"transactions"`
	}
	n.Must("listtransactions", nil, &a)
	sum := n.Received(closing)
	for _, tx := range a.Transactions {
		for _, in := range tx.Inputs {
			if in.Txid == closing {
				sum += n.Received(tx.Hash)
				break
			}
		}
	}
	return sum
}
