package answer

import (
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/model"
)

func dryRunSteps(decommissioned bool, maxFee uint64) []string {
	steps := []string{"Nothing was changed, and no peer was contacted. Read what would happen to each channel.", feeStep(maxFee)}
	if !decommissioned {
		steps = append(steps, "The real run needs decommissioned=true: your statement that the hosted node is dead for good and that your signer will never connect to it again.")
	}
	return steps
}

// configureStep comes before a restart that would end the recovery.
const configureStep = "Write plugin=/path/to/glrecover into lightningd's configuration before anything else: this glrecover was started by a command, " +
	"so it would not run after a restart, and then no peer is asked to close and no opening is refused."

func nextSteps(a *Answer) []string {
	var steps []string
	const offline = "Until glrecover-status shows the closing transaction of each of them, keep lightningd's option offline and do not connect to any peer."
	has := func(r Result) bool {
		return slices.ContainsFunc(a.Channels, func(c Channel) bool { return c.Result == r })
	}
	if has(AskedFirst) {
		steps = append(steps, "Some channels are asked_first: glrecover connects to their peers itself and asks them to close. "+offline)
	}
	if has(NotYetConfirmed) {
		steps = append(steps, "Some channels are funding_unconfirmed: glrecover asks their peers to close once the openings have their confirmations. "+offline)
	}
	steps = append(steps,
		"Restart lightningd once, and remove the option offline for this restart, if it is set: with it lightningd itself connects to no peer. "+
			"Open no channel on this node: before the restart an opening crashes lightningd, "+
			"and at any time one with a peer of the backup reuses keys. glrecover refuses both.",
		onChainStep(a), // part of it may belong to the restart above
		"Keep lightningd running. glrecover asks the peers to close; follow it with glrecover status.",
		"listfunds shows each imported channel with a balance of 0, which is expected. Coins that came back are listed under outputs.",
		feeStep(a.MaxFeePercent),
	)
	if a.Totals.Waiting > 0 {
		steps = append(steps, "Some channels wait for confirmations or for your decision; glrecover-status says which.")
	}
	if n := len(a.Extra); n > 0 {
		steps = append(steps, fmt.Sprintf("%d channels are only in a stored copy of the lost node's own backup (extra_channels): "+
			"each says what was decided and what to do.", n))
	}
	return append(steps, "When every channel is resolved, send the coins to a wallet with a new seed, never run a Lightning node with this key again, and keep the backup file.")
}

// feeStep announces what may be spent by itself.
func feeStep(percent uint64) string {
	if percent == 0 {
		return "max_fee_percent is 0: glrecover adds no fee. A closing transaction whose fee is too low waits until fees fall."
	}
	return fmt.Sprintf("If a closing transaction is still unconfirmed after %d blocks, glrecover adds to its fee with coins of this node's wallet: at most %d%% of what the close pays to it "+
		"(max_fee_percent; 0 means never). glrecover-status announces the amount first.", model.StuckBlocks, percent)
}

// onChainStep says how the coins that the lost node had on chain come back:
// with a rescan, but never to a node whose hsm_secret holds words.
func onChainStep(a *Answer) string {
	const unknown = "rescan=-HEIGHT, HEIGHT being a block from before they were paid; it takes a while."
	w := a.OldWallet
	switch looked := w != nil && w.Looked; {
	case looked && w.Cure != "":
		return w.Cure + "."
	case a.Rescan != nil && a.Rescan.Height == 0:
		return prunedStep(a.Rescan)
	case a.Rescan != nil:
		before := ""
		if w.NewAddresses > 0 {
			before = fmt.Sprintf("Before the restart call lightning-cli newaddr all %d times, with the word all, so that both address types are watched: lightningd watches only its next few addresses, and some coins are on later ones. ", w.NewAddresses)
		}
		step := fmt.Sprintf("%sSet rescan=-%d for that one restart: with it lightningd finds outputs of this wallet that it does not list yet (%d; see old_wallet, and outputs of closed channels). It takes a while.",
			before, a.Rescan.Height, len(a.Rescan.Brings))
		if len(a.Rescan.Pruned) > 0 {
			step += " " + prunedStep(a.Rescan)
		}
		return step
	case looked && len(w.Coins) == 0:
		return "No coin is left on the lost node's on-chain addresses."
	case looked:
		return fmt.Sprintf("This wallet lists all %d coins that are left on the lost node's on-chain addresses.", len(w.Coins))
	case slices.Contains(a.Warnings, proof.WalletWarning):
		return "This node cannot see the coins that the lost node had on chain, not even after a rescan, because its hsm_secret holds words. " +
			"When all channels are resolved and you have moved their coins, stop this node for good and start another in a fresh directory, " +
			"with the 32-byte file that glrecover hsm-secret writes and with " + unknown
	}
	return "The coins that the lost node had on chain show after one restart of lightningd with " + unknown
}

// prunedStep says how the outputs come back whose blocks are pruned.
func prunedStep(r *find.Rescan) string {
	return fmt.Sprintf("%d outputs (rescan.pruned) are in blocks that this bitcoind has deleted (it is pruned): they show after one restart with rescan=-%d "+
		"with a bitcoind that is not pruned. With this one, do not rescan that far: lightningd would hang.", len(r.Pruned), r.Needs)
}
