package decision

import (
	"fmt"
	"time"

	"github.com/glrecover/glrecover/chain"
)

// MinFundingConfs is the confirmations of a funding transaction below which a
// peer that is told to fail the channel may forget it; lightningd's stub tells
// it so by itself.
const MinFundingConfs = 3

// Youngest is how old a backup must be for its fundings to count as confirmed
// where nobody tells.
const Youngest = 24 * time.Hour

// FundingReady reports whether a funding output has the confirmations that it
// needs before its peer may be asked to close; if not, why and what helps. young
// is the last time at which the funding may have been unconfirmed: when the
// backup was written, or when it was last seen with too few confirmations; zero
// is taken for long ago. Confirmations that nobody can tell are enough a day
// later.
func FundingReady(e *chain.FundingEvidence, young, now time.Time) (ready bool, why, cure string) {
	switch {
	case e.State == chain.FundingUnconfirmed, e.State == chain.FundingUnspent && e.Confirmations >= 0 && e.Confirmations < MinFundingConfs:
		return false, fmt.Sprintf("the funding transaction has %d confirmations; with fewer than %d the peer may forget the channel when it is asked to close",
			max(e.Confirmations, 0), MinFundingConfs), ""
	case e.State != chain.FundingUnspent || e.Confirmations != chain.ConfirmationsUnknown:
		return true, "", ""
	case young.IsZero() || now.Sub(young) >= Youngest:
		return true, "", ""
	}
	return false, fmt.Sprintf("the channel may have been opened less than %v ago, and it is unknown whether the opening is confirmed", Youngest),
		fmt.Sprintf("Wait: glrecover imports it at %s, or as soon as bitcoind says that the opening is confirmed. "+
			"For that bitcoind must run, and lightningd must have its port, user and password (bitcoin-* in listconfigs)", young.Add(Youngest).UTC().Format(time.RFC3339))
}
