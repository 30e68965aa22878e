package answer

import (
	"testing"

	"github.com/glrecover/glrecover/recovery/decision"
)

// TestEveryDecisionHasAResult: a decision that nobody names would be an import.
func TestEveryDecisionHasAResult(t *testing.T) {
	for _, d := range []decision.Decision{
		decision.Import, decision.AskFirst, decision.AwaitFunding, decision.FollowClosed, decision.HasStub, decision.Forgotten, decision.StalePeer,
		decision.NothingOurs, decision.Refused, decision.NoAddress, decision.BadEntry, decision.NeverOpened,
	} {
		if _, named := results[d]; !named {
			t.Errorf("%s is told as an import", d)
		}
	}
}
