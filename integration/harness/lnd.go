package harness

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// LNDNode is an lnd on regtest, spoken to over its REST interface on
// loopback. It has no wallet password and no macaroons: its seed is
// throw-away.
type LNDNode struct {
	Name string
	Dir  string
	ID   string
	// Host, Port and RESTPort are where its peers and we reach it.
	Host     string
	Port     int
	RESTPort int
	RPCPort  int
	// Options are further command line arguments.
	Options []string

	net  *Net
	proc *Process
}

// LND makes and starts an lnd.
func (n *Net) LND(name string, options ...string) *LNDNode {
	n.T.Helper()
	node := &LNDNode{
		Name: name, Dir: n.nodeDir(name), Options: options, Host: "127.0.0.1",
		Port: FreePort(n.T), RESTPort: FreePort(n.T), RPCPort: FreePort(n.T), net: n,
	}
	conf := fmt.Sprintf(`[Application Options]
noseedbackup=true
no-macaroons=true
no-rest-tls=true
alias=%s
listen=127.0.0.1:%d
restlisten=127.0.0.1:%d
rpclisten=127.0.0.1:%d
debuglevel=debug
nat=false
nobootstrap=true
accept-keysend=true
[Bitcoin]
bitcoin.regtest=true
bitcoin.defaultchanconfs=1
%s[protocol]
protocol.wumbo-channels=true
`, name, node.Port, node.RESTPort, node.RPCPort, n.miner().lndConf())
	if err := os.WriteFile(filepath.Join(node.Dir, "lnd.conf"), []byte(conf), 0o600); err != nil {
		n.T.Fatalf("%v", err)
	}
	node.Start()
	return node
}

// Start starts lnd and waits until it has caught up with the chain.
func (n *LNDNode) Start() {
	t := n.net.T
	t.Helper()
	bin, err := lndBinaries()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	args := append([]string{"--lnddir=" + n.Dir}, n.Options...)
	n.proc = n.net.start(n.Dir, n.LogPath(), nil, bin["lnd"], args...)
	Wait(t, n.Name+" to answer", func() error {
		if over, err := n.proc.Exited(); over {
			t.Fatalf("%s ended at its start: %v\n%s", n.Name, err, tail(n.LogPath(), 4000))
		}
		return n.learnID()
	})
	n.WaitSynced()
}

// LogPath is the file of lnd's output.
func (n *LNDNode) LogPath() string { return filepath.Join(n.Dir, "output") }

// Stop ends lnd in good order.
func (n *LNDNode) Stop() {
	n.net.T.Helper()
	_ = n.Call(http.MethodPost, "/v1/stop", struct{}{}, nil)
	if err := n.proc.Wait(Timeout); err != nil {
		n.net.T.Fatalf("%s after stop: %v", n.Name, err)
	}
}

// Kill ends lnd with SIGKILL.
func (n *LNDNode) Kill() { n.proc.Kill() }

// Call sends one REST request; body and result may be nil.
func (n *LNDNode) Call(method, path string, body, result any) error {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, "http://"+net.JoinHostPort(n.Host, strconv.Itoa(n.RESTPort))+path, in)
	if err != nil {
		return err
	}
	resp, err := rpcClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("lnd %s: %s: %s", path, resp.Status, raw)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(raw, result)
}

// Must is Call that fails the test on an error.
func (n *LNDNode) Must(method, path string, body, result any) {
	n.net.T.Helper()
	if err := n.Call(method, path, body, result); err != nil {
		n.net.T.Fatalf("%s: %v", n.Name, err)
	}
}

// NodeName returns the name it has in the scenario.
func (n *LNDNode) NodeName() string { return n.Name }

// NodeID returns the node id in hex.
func (n *LNDNode) NodeID() string { return n.ID }

// Address returns "host:port".
func (n *LNDNode) Address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// WaitSynced waits until lnd is at the chain's height.
func (n *LNDNode) WaitSynced() {
	n.net.T.Helper()
	Wait(n.net.T, n.Name+" to catch up", func() error {
		var info struct {
			Height int  `json:"block_height"`
			Synced bool `json:"synced_to_chain"`
		}
		if err := n.Call(http.MethodGet, "/v1/getinfo", nil, &info); err != nil {
			return err
		}
		if want := n.net.miner().Height(); info.Height < want || !info.Synced {
			return fmt.Errorf("at %d of %d, synced %v", info.Height, want, info.Synced)
		}
		return nil
	})
}

// Connect connects to a peer; being connected already is success.
func (n *LNDNode) Connect(peer Node) {
	n.net.T.Helper()
	body := map[string]any{"addr": map[string]string{"pubkey": peer.NodeID(), "host": peer.Address()}}
	Wait(n.net.T, n.Name+" to connect", func() error {
		if err := n.Call(http.MethodPost, "/v1/peers", body, nil); err != nil && !n.connected(peer.NodeID()) {
			return err
		}
		return nil
	})
}

func (n *LNDNode) connected(id string) bool {
	var a struct {
		Peers []struct {
			PubKey string `json:"pub_key"`
		} `json:"peers"`
	}
	if n.Call(http.MethodGet, "/v1/peers", nil, &a) != nil {
		return false
	}
	for _, p := range a.Peers {
		if p.PubKey == id {
			return true
		}
	}
	return false
}

// FundWallet pays sat to the node and waits until it sees the coins confirmed.
func (n *LNDNode) FundWallet(sat uint64) {
	n.net.T.Helper()
	n.net.fund(n, n.address(), sat)
}

func (n *LNDNode) balance() uint64 {
	n.net.T.Helper()
	var a struct {
		Confirmed uint64 `json:"confirmed_balance,string"`
	}
	n.Must(http.MethodGet, "/v1/balance/blockchain", nil, &a)
	return a.Confirmed
}

func (n *LNDNode) open(peer Node, o OpenOptions) (Outpoint, error) {
	return n.openTo(peer.NodeID(), o)
}

// openTo opens a channel to the connected node with this id.
func (n *LNDNode) openTo(peer string, o OpenOptions) (Outpoint, error) {
	var a struct {
		TxidBytes []byte `json:"funding_txid_bytes"`
		Txid      string `json:"funding_txid_str"`
		Vout      uint32 `json:"output_index"`
	}
	id, err := hexBytes(peer)
	if err != nil {
		return Outpoint{}, err
	}
	err = n.Call(http.MethodPost, "/v1/channels", map[string]any{
		"node_pubkey": base64.StdEncoding.EncodeToString(id), "local_funding_amount": fmt.Sprint(o.Sat),
		"push_sat": fmt.Sprint(o.PushSat), "private": !o.Announce, "sat_per_vbyte": "5",
	}, &a)
	if err != nil {
		return Outpoint{}, err
	}
	if a.Txid == "" {
		a.Txid = reverseHex(fmt.Sprintf("%x", a.TxidBytes))
	}
	return Outpoint{a.Txid, a.Vout}, nil
}

// LNDChannel is an entry of lnd's channel list.
type LNDChannel struct {
	ChannelPoint string `json:"channel_point"`
	Active       bool   `json:"active"`
	LocalBalance uint64 `json:"local_balance,string"`
	PendingHTLCs []any  `json:"pending_htlcs"`
}

// Channel returns the open channel with this funding output, or nil.
func (n *LNDNode) Channel(funding Outpoint) *LNDChannel {
	n.net.T.Helper()
	var a struct {
		Channels []LNDChannel `json:"channels"`
	}
	n.Must(http.MethodGet, "/v1/channels", nil, &a)
	for _, c := range a.Channels {
		if c.ChannelPoint == funding.String() {
			return &c
		}
	}
	return nil
}

func (n *LNDNode) active(funding Outpoint) error {
	c := n.Channel(funding)
	if c == nil {
		return errors.New("no such channel")
	}
	if !c.Active {
		return errors.New("not active")
	}
	return nil
}

func (n *LNDNode) settled(funding Outpoint) error {
	c := n.Channel(funding)
	if c == nil {
		return errors.New("no such channel")
	}
	if len(c.PendingHTLCs) > 0 {
		return fmt.Errorf("%d HTLCs pending", len(c.PendingHTLCs))
	}
	return nil
}

// Invoice makes an invoice.
func (n *LNDNode) Invoice(msat uint64) string {
	n.net.T.Helper()
	var a struct {
		Request string `json:"payment_request"`
	}
	n.Must(http.MethodPost, "/v1/invoices", map[string]any{"value_msat": fmt.Sprint(msat), "private": true}, &a)
	return a.Request
}

// Pay pays an invoice and waits for the result.
func (n *LNDNode) Pay(invoice string) error {
	var a struct {
		Error string `json:"payment_error"`
	}
	err := n.Call(http.MethodPost, "/v1/channels/transactions", map[string]any{"payment_request": invoice, "fee_limit": map[string]string{"percent": "10"}}, &a)
	if err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}
