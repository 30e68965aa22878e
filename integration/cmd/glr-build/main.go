// Command glr-build builds what scenarios need beyond bitcoind and lightningd:
//
//	glr-build lnd        lnd and lncli, from the module proxy (integration/lnd)
//	glr-build glsigner   the genuine Greenlight signer, with cargo and protoc
//
// The result stays in the user's cache (or GLRECOVER_CACHE), where scenarios
// find it. Without arguments it says what is at hand.
package main

import (
	"fmt"
	"os"

	h "github.com/glrecover/glrecover/integration/harness"
)

func main() {
	if len(os.Args) == 1 {
		for _, p := range []string{h.BitcoindD, h.Lightningd, h.LND, h.GLSigner} {
			if missing, reason := h.Missing(p); len(missing) > 0 {
				fmt.Printf("%-11s missing: %s\n", p, reason)
			} else {
				fmt.Printf("%-11s at hand\n", p)
			}
		}
		return
	}
	for _, program := range os.Args[1:] {
		paths, err := h.Build(program)
		if err != nil {
			fmt.Fprintln(os.Stderr, "glr-build:", err)
			os.Exit(1)
		}
		for name, path := range paths {
			fmt.Println(name, path)
		}
	}
}
