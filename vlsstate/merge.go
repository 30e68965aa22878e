package vlsstate

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// Merge joins states of one node. For each key the highest version wins, and a
// tombstone of the Greenlight signer wins for good (gl-client State::merge);
// two values of one version are a conflict: the one given first is kept, and a
// remark is made. An entry that cannot be read gives way to the newest older
// one that can: a damaged copy must not cost a channel of which a whole one is
// at hand. CreatedAt is the latest, Strategy that of the latest.
// Versions are only comparable within one signer's store: a vlsd store whose
// versions were reset does not mix with older ones; where commitment numbers
// show that, it is a complaint.
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
	m := newMerger()
	for i, in := range inputs {
		if in.NodeID != out.NodeID {
			return nil, failure.New(failure.WrongNode, "Give states of one node",
				"input 1 is of node %s, input %d of node %s", out.NodeID, i+1, in.NodeID)
		}
		if i == 0 || in.CreatedAt.After(out.CreatedAt) {
			out.CreatedAt, out.Strategy = in.CreatedAt, in.Strategy
		}
		for _, e := range in.Entries {
			m.add(located{Entry: e, note: noteOf(&e)})
		}
	}
	m.mend(out.NodeID)
	m.addMarks()
	slices.SortFunc(m.list, func(a, b located) int { return strings.Compare(a.Key, b.Key) })
	for i := range m.list {
		m.list[i].position = i + 1
	}
	if err := out.load(m.list); err != nil {
		return nil, err
	}
	m.compareNumbers(out, inputs)
	m.remark(out)
	carry(out, inputs)
	return out, nil
}

// carry keeps the complaints about entries that no input had whole, and those of
// an earlier merge about an entry that was taken from it.
func carry(out *Backup, inputs []*Backup) {
	said := make(map[[2]string]bool, len(out.Problems))
	for _, p := range out.Problems {
		said[[2]string{p.key, p.Reason}] = true
	}
	for _, in := range inputs {
		for _, p := range in.Problems {
			mine := out.Entries.Get(p.key)
			switch {
			case p.Position == 0 && p.Effect == Noted, p.key != "" && mine == nil:
				out.Problems = append(out.Problems, p)
			case p.merged && mine.same(in.Entries.Get(p.key)) && !said[[2]string{p.key, p.Reason}]:
				said[[2]string{p.key, p.Reason}] = true
				out.Problems = append(out.Problems, p)
			}
		}
	}
}

func (e *Entry) same(other *Entry) bool {
	return e != nil && other != nil && e.Version == other.Version && bytes.Equal(e.Value, other.Value)
}

// What a merge has to say of an entry.
const (
	conflictReason = "two inputs hold the same version of it with different values; the first was kept"
	olderReason    = "its newest version could not be read and was replaced by an older one: this channel is older than the file"
	mendedReason   = "its newest version cannot be read; an older one was taken from another input"
	deletedReason  = "one input holds the channel, another says that the signer deleted it; it was left out"
	resetReason    = "another input holds it with higher commitment numbers, but not with a higher version: either the versions were reset, or a file was changed"
)

func noteOf(e *Entry) string {
	if allIntegers(e.Value) {
		return ""
	}
	return inexact
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
	// beaten are the live entries that did not win.
	beaten  map[string][]Entry
	remarks []remark
	said    map[remark]bool
	// marks are entries to add for channels of which an older entry was taken.
	marks []Entry
}

// remark is something to say of an entry once all are loaded.
type remark struct {
	key, reason string
	effect      Effect
}

func newMerger() *merger {
	return &merger{at: make(map[string]int), beaten: make(map[string][]Entry), said: make(map[remark]bool)}
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
		m.beat(&old.Entry)
		*old = e
		return taken
	case e.Version < old.Version:
		m.beat(&e.Entry)
		return ignored
	case !bytes.Equal(e.Value, old.Value):
		m.beat(&e.Entry)
		m.say(e.Key, conflictReason, Noted)
		return conflict
	case len(e.Signature) > 0:
		old.Signature, old.BadSignature = e.Signature, false
	}
	return ignored
}

func (m *merger) beat(e *Entry) {
	if !e.Tombstone() {
		m.beaten[e.Key] = append(m.beaten[e.Key], *e)
	}
}

// mend replaces winners that cannot be read by the newest of the beaten that
// can, and notes what it did and which channels were deleted.
func (m *merger) mend(node channel.PubKey) {
	for key, beaten := range m.beaten {
		winner := &m.list[m.at[key]]
		if k, _ := splitKey(key); k == KindOlder {
			continue
		}
		if winner.Tombstone() {
			if slices.ContainsFunc(beaten, func(e Entry) bool { return e.recoverable() }) {
				m.say(key, deletedReason, Noted)
			}
			continue
		}
		effect := effectOf(node, &winner.Entry)
		if effect >= FieldLost {
			// The newest with one field less tells more than an older one.
			continue
		}
		damaged := winner.Version
		slices.SortStableFunc(beaten, func(a, b Entry) int { return cmp.Compare(b.Version, a.Version) })
		for i := range beaten {
			if better := effectOf(node, &beaten[i]); better > effect {
				effect = better
				winner.Entry, winner.note = beaten[i], noteOf(&beaten[i])
				m.mended(key, damaged)
			}
		}
	}
}

// mended remarks on an entry that gave way to an older one, for a channel with a
// mark that stays in the file.
func (m *merger) mended(key string, damaged uint64) {
	kind, rest := splitKey(key)
	if kind != KindChannel {
		m.say(key, mendedReason, OlderTaken)
		return
	}
	m.marks = append(m.marks, Entry{Key: markKey(rest), Version: damaged, Value: []byte(markValue)})
}

// markKey is the key of the mark for a channels/ entry. Greenlight's reader
// ignores it.
func markKey(rest string) string { return string(KindOlder) + "/" + rest }

const markValue = `"glrecover took an older entry: the one of this version was damaged"`

func (m *merger) addMarks() {
	for _, e := range m.marks {
		m.add(located{Entry: e})
	}
}

// readMarks complains of the channels that are older than the file, and drops
// the marks of those that are not any more.
func (b *Backup) readMarks() {
	all := b.Entries
	if !slices.ContainsFunc(all, func(e Entry) bool { return e.Kind() == KindOlder }) {
		return
	}
	b.Entries = slices.DeleteFunc(slices.Clone(all), func(e Entry) bool {
		kind, rest := splitKey(e.Key)
		if kind != KindOlder {
			return false
		}
		key := string(KindChannel) + "/" + rest
		at, found := all.find(key)
		if !found || all[at].Tombstone() || all[at].Version >= e.Version {
			return true
		}
		p := problemAt(key, at+1)
		p.Reason, p.Effect = olderReason, OlderTaken
		b.Problems = append(b.Problems, &p)
		return false
	})
}

func (m *merger) say(key, reason string, effect Effect) {
	if r := (remark{key, reason, effect}); !m.said[r] {
		m.said[r] = true
		m.remarks = append(m.remarks, r)
	}
}

// effectOf is the worst that reading an entry's value alone says of it.
func effectOf(node channel.PubKey, e *Entry) Effect {
	var w worker
	b := &Backup{NodeID: node}
	b.makeMaps()
	b.take(w.again(located{Entry: *e}))
	worst := Noted
	for _, p := range b.Problems {
		worst = min(worst, p.Effect)
	}
	return worst
}

// compareNumbers complains where versions and commitment numbers contradict
// each other: numbers never go back.
func (m *merger) compareNumbers(out *Backup, inputs []*Backup) {
	ours := viewOf(out).channels
	for _, in := range inputs {
		for _, c := range in.Channels {
			if order := numbersOrder(c, ours[c.Key]); order == Older || order == Diverged {
				m.say(channelEntryKey(out.NodeID, c.Key), resetReason, OlderTaken)
			}
		}
	}
}

// remark tells what the merge did, once the entries are loaded.
func (m *merger) remark(b *Backup) {
	position := make(map[string]int, len(m.list))
	for i := range m.list {
		position[m.list[i].Key] = m.list[i].position
	}
	slices.SortStableFunc(m.remarks, func(x, y remark) int { return cmp.Compare(position[x.key], position[y.key]) })
	for _, x := range m.remarks {
		p := problemAt(x.key, position[x.key])
		p.Reason, p.Effect, p.merged = x.reason, x.effect, true
		b.Problems = append(b.Problems, &p)
	}
}
