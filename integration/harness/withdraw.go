package harness

import (
	"encoding/json"
	"os/exec"
)

// NewAddress is a fresh address of bitcoind's own wallet.
func (b *Bitcoind) NewAddress() string {
	b.net.T.Helper()
	var address string
	b.Must("getnewaddress", &address)
	return address
}

// SendAll withdraws the outputs ("txid:vout") to an address and returns the
// txid; unconfirmed.
func (n *CLN) SendAll(address string, outputs ...string) string {
	n.net.T.Helper()
	var a struct {
		Txid string `json:"txid"`
	}
	n.Must("withdraw", Params{"destination": address, "satoshi": "all", "utxos": outputs}, &a)
	return a.Txid
}

// Convert returns the SCB entries (hex) that the product's command line makes of
// a backup.
func Convert(t TB, b Backup) []string {
	t.Helper()
	raw, err := exec.Command(PluginBinary(t), "convert", b.Path).Output()
	if err != nil {
		t.Fatalf("glrecover convert: %v", err)
	}
	var a struct {
		SCB []string `json:"scb"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("glrecover convert: %v", err)
	}
	return a.SCB
}
