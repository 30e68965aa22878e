package find

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/channel"
)

// OldWallet is what the lost node's on-chain wallet holds.
type OldWallet struct {
	// Looked says that all unspent outputs were looked through, at Height;
	// Reason says why not, with the cure.
	Looked bool      `json:"looked"`
	Height uint32    `json:"height,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Coins  []OldCoin `json:"coins,omitempty"`
	// NewAddresses is how many times "newaddr all" must be called before the
	// rescan, since lightningd watches only the next keys; 0 for none. Without
	// "all" each call would hide a coin of the other type: a key that was given out
	// for one type is watched for that type alone (CLN v26.06.6
	// wallet/wallet.c, our_addresses_add_for_index).
	NewAddresses uint32 `json:"newaddr_calls,omitempty"`
	// Cure is how the coins come back that this node's wallet does not have.
	Cure string `json:"cure,omitempty"`
}

// OldCoin is an unspent output of the lost node's wallet.
type OldCoin struct {
	OutPoint   string `json:"outpoint"`
	AmountMsat uint64 `json:"amount_msat"`
	Height     uint32 `json:"height"`
	// Type is p2wpkh or p2tr, Index the key's number.
	Type  string `json:"type"`
	Index uint32 `json:"index"`
	// Listed says that listfunds has it; Visible that this node's wallet has its
	// key, so that a rescan can find it.
	Listed  bool `json:"listed"`
	Visible bool `json:"visible"`
}

// OldWallet lists the confirmed coins of the lost node's wallet as they are for a
// node. visible says that the node's wallet has the keys, listed are the outpoints
// that its listfunds has.
func (r *Report) OldWallet(visible bool, listed map[string]bool) OldWallet {
	w := OldWallet{Looked: true, Height: r.Height}
	for i := range r.Coins {
		c := &r.Coins[i]
		if c.Kind != Wallet || c.Wallet != NodeWallet || c.Height == 0 {
			continue
		}
		w.Coins = append(w.Coins, OldCoin{
			OutPoint: c.OutPoint.String(), AmountMsat: channel.Msat(c.ValueSat), Height: c.Height, Type: c.AddressType, Index: c.Index,
			Visible: visible, Listed: listed[c.OutPoint.String()],
		})
	}
	slices.SortFunc(w.Coins, func(a, b OldCoin) int {
		return cmp.Or(cmp.Compare(a.Height, b.Height), cmp.Compare(a.Index, b.Index), cmp.Compare(a.OutPoint, b.OutPoint))
	})
	switch {
	case visible:
		w.NewAddresses = newaddrCalls(w.Coins)
	case len(w.Coins) > 0:
		w.Cure = otherWallet(w.Coins)
	}
	return w
}

// otherWallet is how coins come back that a node on words does not have.
func otherWallet(coins []OldCoin) string {
	coins = slices.Clone(coins)
	for i := range coins {
		coins[i].Visible, coins[i].Listed = true, false
	}
	calls := ""
	if n := newaddrCalls(coins); n > 0 {
		calls = fmt.Sprintf("call lightning-cli newaddr all %d times there, ", n)
	}
	return fmt.Sprintf("This node cannot see the coins that the lost node had on chain, not even after a rescan, because its hsm_secret holds words. When all channels are resolved and you have moved their coins, stop this node for good, start another in a fresh directory with the 32-byte file that glrecover hsm-secret writes, %sthen restart it once with rescan=-%d",
		calls, rescanHeight(coins[0].Height))
}

// keyscanGap is how many keys past the highest known one lightningd watches
// (CLN wallet/wallet.c, keyscan_gap).
const keyscanGap = 50

// newaddrCalls is how often "newaddr all" must be called before a rescan, so that it
// sees all coins, which are in ascending order of height. lightningd watches
// keyscanGap keys past the highest that it knows, and learns of each coin's key as
// it goes up through the blocks; of two coins in one block the order is unknown, so
// the higher key counts first. What it knows already is at least the highest key of
// a coin that it lists.
func newaddrCalls(coins []OldCoin) uint32 {
	var known, need, highest uint32
	for _, c := range coins {
		if c.Listed {
			known = max(known, c.Index)
		}
	}
	highest = known
	for from := 0; from < len(coins); {
		to := from
		for to < len(coins) && coins[to].Height == coins[from].Height {
			to++
		}
		seen := highest
		for _, c := range coins[from:to] {
			if !c.Visible || c.Listed {
				continue
			}
			if c.Index > highest+keyscanGap {
				need = max(need, c.Index-keyscanGap)
			}
			seen = max(seen, c.Index)
		}
		highest, from = seen, to
	}
	return max(need, known) - known
}
