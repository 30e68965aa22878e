package harness

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Lane is one channel of a scenario that opens many at once.
type Lane struct {
	From, To Node
	Sat      uint64
	// PushSat is what the opener gives the other side.
	PushSat uint64
	// Announce makes it public.
	Announce bool
	// Dialled says that To dials From; else From dials.
	Dialled bool
	// Delay is after how many blocks what OfferOver offers expires, 0 for finalDelay.
	Delay uint32
	// Funding is set by OpenLanes.
	Funding Outpoint
}

// OpenLanes opens all channels with one round of funding, one of opening and
// six blocks, and waits until both sides of each can use it. An lnd that takes
// several from one peer needs its option maxpendingchannels.
func (n *Net) OpenLanes(lanes ...*Lane) {
	n.T.Helper()
	var openers, all []Node
	coin := map[Node]uint64{}
	count := map[Node]int{}
	note := func(list *[]Node, node Node) {
		for _, have := range *list {
			if have == node {
				return
			}
		}
		*list = append(*list, node)
	}
	for _, l := range lanes {
		note(&openers, l.From)
		note(&all, l.From)
		note(&all, l.To)
		// One coin pays for one channel of any of its sizes.
		coin[l.From] = max(coin[l.From], l.Sat+50_000)
		count[l.From]++
	}
	// In one transaction: bitcoind takes 25 in a row.
	pay := map[string]json.Number{}
	for _, node := range openers {
		for range count[node] {
			pay[node.address()] = btc(coin[node])
		}
	}
	n.Bitcoind.Must("sendmany", nil, "", pay)
	n.Mine(1, all...)
	for _, node := range openers {
		want := coin[node] * uint64(count[node])
		Wait(n.T, node.NodeName()+"'s coins", func() error {
			if got := node.confirmed(); got < want {
				return fmt.Errorf("%d of %d sat", got, want)
			}
			return nil
		})
	}
	var opening []func()
	for _, node := range openers {
		opening = append(opening, func() {
			for _, l := range lanes {
				if l.From == node {
					n.openLane(l)
				}
			}
		})
	}
	Together(n.T, opening...)
	n.Mine(6, all...)
	for _, l := range lanes {
		n.WaitActive(l.Funding, l.From, l.To)
	}
}

func (n *Net) openLane(l *Lane) {
	n.T.Helper()
	// A peer that has just seen the block may still refuse for a moment, and
	// hang up.
	Wait(n.T, fmt.Sprintf("%s to open to %s", l.From.NodeName(), l.To.NodeName()), func() (err error) {
		switch {
		case l.From.connectedTo(l.To):
		case l.Dialled:
			l.To.Connect(l.From)
		default:
			l.From.Connect(l.To)
		}
		l.Funding, err = n.open(l.From, l.To, OpenOptions{Sat: l.Sat, PushSat: l.PushSat, Announce: l.Announce})
		return err
	})
}

// Together runs the functions at the same time and waits for all. A Fatalf in
// one ends that one, and then the test: for *testing.T only, whose Fatalf ends
// the goroutine that called it.
func Together(t TB, functions ...func()) {
	t.Helper()
	var wg sync.WaitGroup
	for _, f := range functions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f()
		}()
	}
	wg.Wait()
	if t.Failed() {
		t.Fatalf("one of what ran at the same time failed")
	}
}

// PayOver pays msat from one end of the lane to the other over this very
// channel.
func (n *Net) PayOver(l *Lane, from Node, msat uint64) {
	n.T.Helper()
	to := l.To
	if from == to {
		to = l.From
	}
	Wait(n.T, fmt.Sprintf("%s to pay %s over %s", from.NodeName(), to.NodeName(), l.Funding), func() error {
		return from.payOver(l.Funding, to.bill(msat), true)
	})
}

// UseLane pays both ways over the channel until neither side is at its first
// commitments, and waits until nothing is pending. About a third of it ends at
// the side that did not open it.
func (n *Net) UseLane(l *Lane) {
	n.T.Helper()
	n.PayOver(l, l.From, l.Sat*1000*35/100)
	n.PayOver(l, l.To, l.Sat*1000*3/100)
	n.WaitSettled(l.Funding, l.From, l.To)
}

// OfferOver begins a payment over this very channel and does not wait for its
// end: for a receiver that holds it.
func (n *Net) OfferOver(l *Lane, from Node, msat uint64) {
	n.T.Helper()
	to := l.To
	if from == to {
		to = l.From
	}
	b := to.bill(msat)
	b.delay = cmp.Or(l.Delay, b.delay)
	if err := from.payOver(l.Funding, b, false); err != nil {
		n.T.Fatalf("%s: %v", from.NodeName(), err)
	}
}

// OfferPreimage is OfferOver to a CLN node whose invoice has this preimage, 64 hex
// digits.
func (n *Net) OfferPreimage(l *Lane, from Node, to *CLN, msat uint64, preimage string) {
	n.T.Helper()
	if err := from.payOver(l.Funding, to.billOf(msat, preimage), false); err != nil {
		n.T.Fatalf("%s: %v", from.NodeName(), err)
	}
}

// bill is an invoice with what a sender along a route of its own needs.
type bill struct {
	bolt11       string
	hash, secret string
	payee        string
	msat         uint64
	delay        uint32
}

// finalDelay in blocks is above what CLN and lnd ask for in an invoice.
const finalDelay = 90

func (n *CLN) address() string   { return n.NewAddress() }
func (n *CLN) confirmed() uint64 { return n.Balance() }

func (n *CLN) connectedTo(peer Node) bool { return n.Connected(peer) }

func (n *LNDNode) connectedTo(peer Node) bool { return n.connected(peer.NodeID()) }

func (n *CLN) bill(msat uint64) bill { return n.billOf(msat, randomHex(32)) }

func (n *CLN) billOf(msat uint64, preimage string) bill {
	n.net.T.Helper()
	var a struct {
		Bolt11 string `json:"bolt11"`
		Hash   string `json:"payment_hash"`
		Secret string `json:"payment_secret"`
	}
	n.Must("invoice", Params{"amount_msat": msat, "label": randomHex(8), "description": "harness", "preimage": preimage}, &a)
	return bill{a.Bolt11, a.Hash, a.Secret, n.ID, msat, finalDelay}
}

func (n *CLN) payOver(funding Outpoint, b bill, wait bool) error {
	c := n.Channel(funding)
	if c == nil {
		return errors.New("no such channel")
	}
	hop := Params{"id": b.payee, "channel": c.SCID, "amount_msat": b.msat, "delay": b.delay}
	err := n.Call("sendpay", Params{
		"route": []Params{hop}, "payment_hash": b.hash, "payment_secret": b.secret, "bolt11": b.bolt11,
	}, nil)
	if err != nil || !wait {
		return err
	}
	return n.Call("waitsendpay", Params{"payment_hash": b.hash, "timeout": 60}, nil)
}

func (n *LNDNode) address() string {
	n.net.T.Helper()
	var a struct {
		Address string `json:"address"`
	}
	n.Must(http.MethodGet, "/v1/newaddress", nil, &a)
	return a.Address
}

func (n *LNDNode) confirmed() uint64 { return n.balance() }

func (n *LNDNode) bill(msat uint64) bill {
	n.net.T.Helper()
	var a struct {
		Request string `json:"payment_request"`
		Hash    []byte `json:"r_hash"`
		Secret  []byte `json:"payment_addr"`
	}
	n.Must(http.MethodPost, "/v1/invoices", map[string]any{"value_msat": fmt.Sprint(msat), "private": true}, &a)
	return bill{a.Request, hex.EncodeToString(a.Hash), hex.EncodeToString(a.Secret), n.ID, msat, finalDelay}
}

func (n *LNDNode) payOver(funding Outpoint, b bill, wait bool) error {
	if !wait {
		return errors.New("harness: lnd cannot offer and go on")
	}
	var list struct {
		Channels []struct {
			ChannelPoint string `json:"channel_point"`
			ID           string `json:"chan_id"`
		} `json:"channels"`
	}
	if err := n.Call(http.MethodGet, "/v1/channels", nil, &list); err != nil {
		return err
	}
	for _, c := range list.Channels {
		if c.ChannelPoint != funding.String() {
			continue
		}
		var a struct {
			Error string `json:"payment_error"`
		}
		err := n.Call(http.MethodPost, "/v1/channels/transactions", map[string]any{
			"payment_request": b.bolt11, "outgoing_chan_id": c.ID, "fee_limit": map[string]string{"percent": "10"},
		}, &a)
		if err == nil && a.Error != "" {
			err = errors.New(a.Error)
		}
		return err
	}
	return errors.New("no such channel")
}

// ForceClose makes lnd broadcast its own commitment and returns the txid;
// unconfirmed.
func (n *LNDNode) ForceClose(funding Outpoint) string {
	n.net.T.Helper()
	// The answer is a stream that ends with the confirmation.
	go func() {
		_ = n.Call(http.MethodDelete, fmt.Sprintf("/v1/channels/%s/%d?force=true", funding.Txid, funding.Vout), nil, nil)
	}()
	return n.net.WaitSpent(funding)
}

// Version is what getinfo says.
func (n *LNDNode) Version() string {
	n.net.T.Helper()
	var a struct {
		Version string `json:"version"`
	}
	n.Must(http.MethodGet, "/v1/getinfo", nil, &a)
	version, _, _ := strings.Cut(a.Version, " ")
	return version
}

// Version is what getinfo says.
func (n *CLN) Version() string {
	n.net.T.Helper()
	var a struct {
		Version string `json:"version"`
	}
	n.Must("getinfo", nil, &a)
	return a.Version
}

// KillAlone ends lightningd alone with SIGKILL and waits until all that it had
// started has noticed and ended.
func (n *CLN) KillAlone() {
	n.net.T.Helper()
	_ = n.proc.Signal(syscall.SIGKILL)
	if err := n.proc.Wait(Timeout); err != nil {
		n.net.T.Fatalf("%s after SIGKILL: %v", n.Name, err)
	}
	for _, program := range []string{"lightning_connectd", filepath.Base(PluginBinary(n.net.T))} {
		Wait(n.net.T, program+" to end without lightningd", func() error {
			if pids := n.proc.Children(program); len(pids) > 0 {
				return fmt.Errorf("runs as %v", pids)
			}
			return nil
		})
	}
}

// Tx is a transaction as bitcoind decodes it.
type Tx struct {
	Txid string `json:"txid"`
	Vout []struct {
		N      uint32 `json:"n"`
		Script struct {
			Hex string `json:"hex"`
		} `json:"scriptPubKey"`
		// Value is in BTC, with eight digits after the point.
		Value decimal `json:"value"`
	} `json:"vout"`
}

// decimal keeps an amount's digits.
type decimal string

// UnmarshalJSON keeps the number as it is written.
func (d *decimal) UnmarshalJSON(raw []byte) error {
	*d = decimal(raw)
	return nil
}

// Sat is the amount in satoshis.
func (d decimal) Sat() uint64 {
	whole, part, _ := strings.Cut(string(d), ".")
	var sat uint64
	for _, c := range whole + (part + "00000000")[:8] {
		sat = sat*10 + uint64(c-'0')
	}
	return sat
}

// MempoolTx is a transaction of the mempool.
func (b *Bitcoind) MempoolTx(txid string) Tx {
	b.net.T.Helper()
	var tx Tx
	b.Must("getrawtransaction", &tx, txid, true)
	return tx
}

// MempoolSpenders returns, for those of the outputs that a transaction of the
// mempool spends, that one's txid.
func (b *Bitcoind) MempoolSpenders(outputs ...Outpoint) map[Outpoint]string {
	b.net.T.Helper()
	var found []struct {
		Outpoint
		SpendingTxid string `json:"spendingtxid"`
	}
	b.Must("gettxspendingprevout", &found, outputs)
	spent := map[Outpoint]string{}
	for _, f := range found {
		if f.SpendingTxid != "" {
			spent[f.Outpoint] = f.SpendingTxid
		}
	}
	return spent
}
