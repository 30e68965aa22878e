package vlsstate

import (
	"math"
	"time"

	"github.com/glrecover/glrecover/channel"
)

// Recorder decides when a signer's backup is due, by the rules of gl-client's
// BackupRuntime. It is pure: it reads no clock and writes no file. One update
// of the signer goes through three phases:
//
//	r.Observe(before, after)       // what changed
//	if r.Due(after) {              // the decision
//		err := write(after)        // the caller's own
//		r.Written(after, err)      // the outcome
//	}
//
// A new recoverable channel makes a snapshot pending under both strategies; a
// periodic recorder also does after N recoverable updates. The snapshot stays
// pending until a write succeeds: a failed write is tried again with the next
// update, even one that changes nothing, and never stops the signer.
type Recorder struct {
	strategy Strategy

	updates uint32
	pending bool
	// backed is the state of the last successful write, nil before it.
	backed Entries
	// failures counts failed writes since the last successful one.
	failures int
	lastErr  error
}

// NewRecorder returns a recorder that has not written yet. The error has the
// name invalid_parameter where the strategy is none.
func NewRecorder(s Strategy) (*Recorder, error) {
	if _, err := s.encode(); err != nil {
		return nil, err
	}
	return &Recorder{strategy: s}, nil
}

// Observe looks at one update. before is the state once the signer has merged
// what the node sent, after the state once the request is handled and signed.
func (r *Recorder) Observe(before, after Entries) {
	if r.strategy.Kind == Never {
		return
	}
	if hasNewChannel(before, after) {
		r.pending = true
	}
	if r.strategy.Kind == Periodic && hasRecoverableUpdate(before, after) {
		if r.updates < math.MaxUint32 {
			r.updates++
		}
		if r.updates >= r.strategy.Updates {
			r.pending = true
		}
	}
}

// Due reports whether after is to be written now: a snapshot is pending, and
// the last one written knows less of the recoverable channels.
func (r *Recorder) Due(after Entries) bool {
	return r.pending && (r.backed == nil || hasRecoverableUpdate(r.backed, after))
}

// Written takes the outcome of writing after. Only a success resets the count
// of updates and what is pending.
func (r *Recorder) Written(after Entries, err error) {
	if err != nil {
		r.failures++
		r.lastErr = err
		return
	}
	r.updates, r.pending = 0, false
	r.failures, r.lastErr = 0, nil
	r.backed = after.Live()
}

// Failures returns how many writes have failed since the last success, and the
// last error.
func (r *Recorder) Failures() (count int, last error) { return r.failures, r.lastErr }

// Snapshot is the backup that a signer writes of its state. Only what Encode
// takes is set; Parse its bytes for the rest.
func Snapshot(node channel.PubKey, at time.Time, s Strategy, state Entries) *Backup {
	return &Backup{CreatedAt: at.UTC().Truncate(time.Second), NodeID: node, Strategy: s, Entries: state}
}

func hasNewChannel(before, after Entries) bool {
	for i := range after {
		if !after[i].recoverable() {
			continue
		}
		if old := before.Get(after[i].Key); old == nil || !old.recoverable() {
			return true
		}
	}
	return false
}

func hasRecoverableUpdate(before, after Entries) bool {
	return len(before.NewerIn(after).Recoverable()) > 0
}
