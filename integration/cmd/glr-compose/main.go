// Command glr-compose plays the story of package compose on the services of
// docker/compose.yaml, by their names there.
package main

import (
	"fmt"
	"os"

	"github.com/glrecover/glrecover/integration/compose"
	h "github.com/glrecover/glrecover/integration/harness"
)

// Names, directories and ports are those of docker/compose.yaml.
const (
	nodesDir    = "/nodes"
	bitcoinRPC  = 18443
	lightning   = 9735
	lndREST     = 8080
	bitcoinUser = "glr"
)

func main() {
	c := h.NewConsole("compose", func(line string) { fmt.Println(line) })
	ok := c.Run(func() {
		n := h.Attach(c, &h.Bitcoind{Host: "bitcoind", RPCPort: bitcoinRPC, User: bitcoinUser, Password: os.Getenv("BITCOIN_RPC_PASSWORD")})
		compose.Play(c, compose.World{
			Net:  n,
			Lost: n.AttachCLN("lost", nodesDir+"/lost", "lost", lightning),
			Peer: n.AttachCLN("peer", nodesDir+"/peer", "peer", lightning),
			LND:  n.AttachLND("lnd", "lnd", lightning, lndREST),
		})
	})
	if !ok {
		os.Exit(1)
	}
}
