package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// calledBitcoind answers some methods and notes all that it was asked.
type calledBitcoind struct {
	info  map[string]any
	asked []string
}

func (f *calledBitcoind) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct{ Method string }
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	f.asked = append(f.asked, call.Method)
	answer := map[string]any{"result": nil, "error": map[string]any{"code": -32601, "message": "no such method here"}}
	if call.Method == "getblockchaininfo" {
		answer = map[string]any{"result": f.info, "error": nil}
	}
	_ = json.NewEncoder(w).Encode(answer) // the test sees what is missing
}

func TestSweepLooksAtTheChainBeforeAnythingElse(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	hexText, err := os.ReadFile(filepath.Join(corpusDir, "htlc-in-flight", "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, hexText, 0o400); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		chain         string
		blocks, heads int
		want          string
	}{
		{"another network", "main", 10, 10, "wrong_network: the node is on regtest, bitcoind is on main"},
		{"behind", "regtest", 10, 200, "node_syncing: bitcoind is at block 10 of 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := &calledBitcoind{info: map[string]any{
				"chain": tt.chain, "blocks": tt.blocks, "headers": tt.heads, "bestblockhash": strings.Repeat("0", 64),
			}}
			server := httptest.NewServer(fake)
			defer server.Close()
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conf := fmt.Sprintf("regtest=1\nrpcuser=u\nrpcpassword=hidden\n[regtest]\nrpcport=%s\n", port)
			if err := os.WriteFile(filepath.Join(dir, "bitcoin.conf"), []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			c := &cli{stdin: strings.NewReader(""), stdout: &out, stderr: &out, now: time.Now}
			code := c.run([]string{
				"sweep", "--hsm-secret", secret, "--bitcoind", dir, "--to", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
				"--feerate", "5", "--broadcast", filepath.Join(corpusDir, "htlc-in-flight", "backup.json"),
			})
			if code != exitProblem || !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "hidden") {
				t.Errorf("exit %d:\n%s", code, out.String())
			}
			if !slices.Equal(fake.asked, []string{"getblockchaininfo"}) {
				t.Errorf("asked %v", fake.asked)
			}
		})
	}
}
