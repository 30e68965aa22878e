package vlsstate

import (
	"bytes"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/failure"
)

// Merge joins states of one node. For each key the highest version wins, and a
// tombstone of the Greenlight signer wins for good (gl-client State::merge);
// two values of one version are a conflict: the one given first is kept, and a
// remark is made. CreatedAt is the latest, Strategy that of the latest.
// Versions are only comparable within one signer's store: a vlsd store whose
// versions were reset does not mix with older ones.
//
// The error has the name wrong_node where the inputs are of several nodes,
// unsupported_key_derivation as for Parse.
func Merge(inputs ...*Backup) (*Backup, error) {
	switch len(inputs) {
	case 0:
		return nil, failure.New(failure.InvalidParameter, "Give at least one state", "there is nothing to merge")
	case 1:
		return inputs[0], nil
	}
	out := &Backup{Source: FromMerge, NodeID: inputs[0].NodeID}
	m := merger{at: make(map[string]int)}
	var conflicts []string
	for i, in := range inputs {
		if in.NodeID != out.NodeID {
			return nil, failure.New(failure.WrongNode, "Give states of one node",
				"input 1 is of node %s, input %d of node %s", out.NodeID, i+1, in.NodeID)
		}
		if i == 0 || in.CreatedAt.After(out.CreatedAt) {
			out.CreatedAt, out.Strategy = in.CreatedAt, in.Strategy
		}
		for _, e := range in.Entries {
			if m.add(located{Entry: e, note: noteOf(&e)}) == conflict {
				conflicts = append(conflicts, e.Key)
			}
		}
	}
	slices.SortFunc(m.list, func(a, b located) int { return strings.Compare(a.Key, b.Key) })
	for i := range m.list {
		m.list[i].position = i + 1
	}
	if err := out.load(m.list); err != nil {
		return nil, err
	}
	for _, key := range conflicts {
		i, _ := slices.BinarySearchFunc(out.Entries, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
		r := entryReader{b: out, problem: problemAt(key, i+1)}
		r.note(conflictReason)
	}
	carryLost(out, inputs)
	return out, nil
}

// carryLost keeps the complaints about entries that no input had whole.
func carryLost(out *Backup, inputs []*Backup) {
	for _, in := range inputs {
		for _, p := range in.Problems {
			if p.Position == 0 && p.Effect == Noted || p.key != "" && out.Entries.Get(p.key) == nil {
				out.Problems = append(out.Problems, p)
			}
		}
	}
}

const conflictReason = "two inputs hold it with one version and different values; the first was kept"

func noteOf(e *Entry) string {
	if len(e.Value) == 0 {
		return ""
	}
	if _, exact, err := canonical(e.Value); err == nil && !exact {
		return inexact
	}
	return ""
}

// outcome is what became of one entry in a merge.
type outcome uint8

const (
	taken outcome = iota
	ignored
	conflict
)

// merger keeps the winning entry of each key.
type merger struct {
	list []located
	at   map[string]int
}

func (m *merger) add(e located) outcome {
	i, known := m.at[e.Key]
	if !known {
		m.at[e.Key] = len(m.list)
		m.list = append(m.list, e)
		return taken
	}
	old := &m.list[i]
	switch {
	case e.Version > old.Version:
		*old = e
		return taken
	case e.Version < old.Version:
		return ignored
	case !bytes.Equal(e.Value, old.Value):
		return conflict
	case len(e.Signature) > 0:
		old.Signature, old.BadSignature = e.Signature, false
	}
	return ignored
}
