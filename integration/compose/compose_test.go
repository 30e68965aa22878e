package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

func TestMain(m *testing.M) { os.Exit(h.Main(m.Run)) }

// The containers' story without containers: the same script starts the same
// lightningd again and again, as the engine would.
func TestStoryOfTheContainersOnLocalProcesses(t *testing.T) {
	h.Need(t, h.Lightningd, h.BitcoindD, h.LND)
	n := h.New(t)
	peer := n.CLN("peer", h.CLNConfig{})
	lnd := n.LND("lnd")
	script, err := filepath.Abs(filepath.Join("..", "..", "docker", "node.sh"))
	if err != nil {
		t.Fatal(err)
	}
	dir, port := filepath.Join(n.Dir, "lost"), h.FreePort(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := n.Bitcoind
	args := []string{
		fmt.Sprintf("--bind-addr=127.0.0.1:%d", port), "--bitcoin-datadir=" + b.Dir,
		"--bitcoin-rpcconnect=127.0.0.1", fmt.Sprintf("--bitcoin-rpcport=%d", b.RPCPort),
		"--plugin=" + h.PluginBinary(t),
		// Its port is the same for every node of a machine; in a container
		// each node has a machine of its own.
		"--disable-plugin=cln-grpc",
	}
	n.Run("lost", []string{"LIGHTNINGD_DATA=" + dir}, "sh", "-c",
		"while :; do '"+script+"' '"+strings.Join(args, "' '")+"'; done")
	Play(t, World{Net: n, Lost: n.AttachCLN("lost", dir, "127.0.0.1", port), Peer: peer, LND: lnd})
}
