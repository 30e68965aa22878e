package integration

import (
	"os"
	"testing"

	"github.com/btcsuite/btcd/wire"

	h "github.com/glrecover/glrecover/integration/harness"
)

func TestMain(m *testing.M) { os.Exit(h.Main(m.Run)) }

// TestBitcoindTakesEveryLocktime: wallets draw theirs from the last hundred heights, and
// a policy that refuses one of them fails a scenario in a thousand.
func TestBitcoindTakesEveryLocktime(t *testing.T) {
	t.Parallel()
	h.Need(t, h.BitcoindD)
	b := h.New(t).Bitcoind
	var coins []struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"vout"`
	}
	var address string
	b.Must("listunspent", &coins)
	b.Must("getnewaddress", &address)
	for locktime := range b.Height() {
		var raw string
		var signed struct {
			Hex string `json:"hex"`
		}
		var verdict []struct {
			Allowed bool   `json:"allowed"`
			Reason  string `json:"reject-reason"`
		}
		in := map[string]any{"txid": coins[0].Txid, "vout": coins[0].Vout, "sequence": wire.MaxTxInSequenceNum - 1}
		b.Must("createrawtransaction", &raw, []any{in}, map[string]any{address: 49.9999}, locktime)
		b.Must("signrawtransactionwithwallet", &signed, raw)
		b.Must("testmempoolaccept", &verdict, []string{signed.Hex})
		if len(verdict) != 1 || !verdict[0].Allowed {
			t.Errorf("locktime %d: %+v", locktime, verdict)
		}
	}
}
