package follow

import (
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// LookBackStep is how many blocks the look-back goes down at a time for a close from
// before the backup's date: what it finds on the way, the close or the funding itself,
// ends it.
const LookBackStep = 1008

// BoundLookBack tells the Watcher how far the spends of outputs may be back.
func BoundLookBack(s *state.State) {
	if !s.Run.BackupCreated.IsZero() {
		s.Do(model.LookBackSince{Time: s.Run.BackupCreated})
	}
	if s.Run.LookBackFrom > 0 {
		s.Do(model.LookBackFrom{Height: s.Run.LookBackFrom})
	}
}

// LookFurther has the Watcher look further down, where all blocks since the
// backup's date have been looked at and a funding output is gone without a
// spend. Below blocks that cannot be had it does not go.
func LookFurther(s *state.State) {
	l := &s.LookBack
	// A mempool that cannot be asked is a trouble too, and says nothing of the blocks.
	if !l.Done || l.Missing > 0 || s.Behind > 0 || s.Tip.Height == 0 {
		return
	}
	if l.From > s.LookBackAsked && s.Tip.Height == s.LookBackAskedAt {
		return // the Watcher has not taken it up yet
	}
	low := l.From
	if was := s.Run.LookBackFrom; was > 0 && (low == 0 || was < low) {
		low = was
	}
	if low == 0 {
		low = chain.LowestKept(s.Tip.Height)
	}
	end := s.LookBackEnd()
	if low <= end || !slices.ContainsFunc(s.AtWork(), func(k channel.Key) bool { return s.Channels[k].Vanished() }) {
		return
	}
	from := max(low, end+LookBackStep) - LookBackStep
	s.Run.LookBackFrom, s.LookBackAsked, s.LookBackAskedAt = from, from, s.Tip.Height
	s.Tell("a funding output is gone and no spend of it was found: glrecover searches blocks %d to %d for a close older than the backup", from, low-1)
	s.Do(model.LookBackFrom{Height: from})
}
