package integration

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// The dry plan of rescue with each chain that needs no lightningd: it contacts no
// peer, and needs no fee rate.
func TestDryRescueWithEachChain(t *testing.T) {
	t.Parallel()
	h.Need(t, h.BtcdD)
	n := h.NewOnBtcd(t)
	corpus, err := filepath.Abs(filepath.Join("..", "testdata", "corpus", "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(corpus, "backup.json")
	secret := n.WriteFile("secret", mustRead(t, filepath.Join(corpus, "hsm_secret.hex")))
	address := n.Btcd.NewAddress()
	auth := n.WriteFile("auth", []byte(n.Btcd.User+":"+n.Btcd.Password))
	rpc := "https://" + net.JoinHostPort(n.Btcd.Host, strconv.Itoa(n.Btcd.RPCPort))
	run := func(args ...string) h.Run {
		return n.CommandWith([]string{"HOME=" + n.Dir}, "", append([]string{"rescue", "--dry-run", "--to", address, "--hsm-secret", secret}, append(args, backup)...)...)
	}
	node := net.JoinHostPort("127.0.0.1", strconv.Itoa(n.Btcd.P2PPort))
	wantRun(t, "with btcd's RPC", run("--bitcoind", rpc, "--bitcoind-auth", auth, "--bitcoind-cert", n.Btcd.Cert), 0, "The plan for node", "673,960")
	wantRun(t, "with the light client", run("--bitcoin-node", node), 0, "the embedded light client", "sees only blocks", "The plan for node", "673,960")
	wantRun(t, "with two chains", run("--bitcoin-node", node, "--esplora", "http://127.0.0.1:1/api"), 2, "give one of")
	wantRun(t, "with a server that is not there", run("--esplora", "http://127.0.0.1:1/api"), 1, "learns every script", "does not answer")
	wantRun(t, "without the certificate", run("--bitcoind", rpc, "--bitcoind-auth", auth), 1, "not trusted")
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
