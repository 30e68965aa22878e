package bolt3

import "github.com/glrecover/glrecover/channel"

// Expected weights of BOLT 3, appendix A, in weight units: with signatures of
// 73 bytes, which is more than anybody makes today.
const (
	commitmentWeight        = 724
	commitmentWeightAnchors = 1124
	commitmentHTLCWeight    = 172
)

// CommitmentWeight is the expected weight of a signed commitment with both
// balance outputs, both anchors where the type has them, and so many HTLC
// outputs.
func CommitmentWeight(t channel.Type, htlcs int) uint64 {
	weight := uint64(commitmentWeight)
	if t.HasAnchors() {
		weight = commitmentWeightAnchors
	}
	return weight + commitmentHTLCWeight*uint64(htlcs)
}
