package vlsstate

import (
	"slices"
	"strings"
)

// Entries are a signer's whole state: one entry for each key, in the order of
// the keys' bytes.
type Entries []Entry

// Get returns the entry of a key, nil where there is none.
func (es Entries) Get(key string) *Entry {
	i, ok := slices.BinarySearchFunc(es, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
	if !ok {
		return nil
	}
	return &es[i]
}

// Live returns the entries that are no tombstones.
func (es Entries) Live() Entries {
	out := make(Entries, 0, len(es))
	for _, e := range es {
		if !e.Tombstone() {
			out = append(out, e)
		}
	}
	return out
}

// NewerIn returns what after has and es has not, or has with a lower version,
// or with another signature (gl-client State::diff_state).
func (es Entries) NewerIn(after Entries) Entries {
	var out Entries
	for _, e := range after {
		old := es.Get(e.Key)
		if old == nil || old.Version < e.Version ||
			old.Version == e.Version && string(old.Signature) != string(e.Signature) {
			out = append(out, e)
		}
	}
	return out
}

// Recoverable returns the keys of the channels that the signer counts as
// recoverable: live, with a channel_setup that is not null. It does not say
// that the setup is any good.
func (es Entries) Recoverable() []string {
	var out []string
	for i := range es {
		if es[i].recoverable() {
			out = append(out, es[i].Key)
		}
	}
	return out
}

func (e *Entry) recoverable() bool {
	if e.Tombstone() || e.Kind() != KindChannel {
		return false
	}
	members, err := object(e.Value)
	if err != nil {
		return false
	}
	setup, ok := members["channel_setup"]
	return ok && string(setup) != "null"
}

// sortEntries puts entries into the order of Entries.
func sortEntries(es Entries) {
	slices.SortFunc(es, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
}
