// Command glr-build builds what scenarios need beyond bitcoind and lightningd:
//
//	glr-build lnd        lnd and lncli, from the module proxy (integration/lnd)
//	glr-build btcd       btcd, from the same place
//	glr-build glsigner   the genuine Greenlight signer, with cargo and protoc
//
// The result stays in the user's cache (or GLRECOVER_CACHE), where scenarios
// find it. With -try first, what cannot be built is said in one line and is no
// failure, unless GLRECOVER_REQUIRE names it. Without arguments it says what is
// at hand.
package main

import (
	"fmt"
	"os"

	h "github.com/glrecover/glrecover/integration/harness"
)

func main() {
	programs := os.Args[1:]
	if len(programs) == 0 {
		for _, p := range []string{h.BitcoindD, h.Lightningd, h.LND, h.BtcdD, h.GLSigner} {
			if missing, reason := h.Missing(p); len(missing) > 0 {
				fmt.Printf("%-11s missing: %s\n", p, reason)
			} else {
				fmt.Printf("%-11s at hand\n", p)
			}
		}
		return
	}
	try := programs[0] == "-try"
	if try {
		programs = programs[1:]
	}
	for _, program := range programs {
		demanded := h.Required(program)
		paths, err := h.Build(program, func(line string) { fmt.Fprintln(os.Stderr, line) })
		switch {
		case err != nil && try && !demanded:
			fmt.Fprintf(os.Stderr, "%s could not be built, its scenarios will not run: %v\n", program, err)
		case err != nil:
			fmt.Fprintln(os.Stderr, "glr-build:", err)
			os.Exit(1)
		case !try:
			for name, path := range paths {
				fmt.Println(name, path)
			}
		}
	}
}
