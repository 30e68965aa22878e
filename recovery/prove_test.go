package recovery

import (
	"strings"
	"testing"

	"github.com/glrecover/glrecover/proof"
)

// A rescan does not show the old coins to a node that runs on words, so nobody
// is sent into one.
func TestTheNextStepForOnChainCoinsDependsOnTheFormOfTheSecret(t *testing.T) {
	for _, c := range []struct {
		warnings   []string
		want, lack string
	}{
		{[]string{}, "show after one restart of lightningd with rescan=-HEIGHT", "fresh directory"},
		{[]string{"another", proof.WalletWarning}, "with the 32-byte file that glrecover hsm-secret writes and with rescan=-HEIGHT", "one restart of lightningd with rescan"},
	} {
		steps := strings.Join(nextSteps(&Answer{Warnings: c.warnings}), "\n")
		if !strings.Contains(steps, c.want) || strings.Contains(steps, c.lack) {
			t.Errorf("with the warnings %q:\n%s", c.warnings, steps)
		}
	}
}
