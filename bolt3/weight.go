package bolt3

import "github.com/glrecover/glrecover/channel"

// HTLCWeight is the expected weight of a signed HTLC transaction with one input
// and one output.
func HTLCWeight(t channel.Type, success bool) uint64 {
	switch {
	case t.HasAnchors() && success:
		return htlcSuccessWeightAnchors
	case t.HasAnchors():
		return htlcTimeoutWeightAnchors
	case success:
		return htlcSuccessWeight
	}
	return htlcTimeoutWeight
}
