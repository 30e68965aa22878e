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
	i, ok := es.find(key)
	if !ok {
		return nil
	}
	return &es[i]
}

func (es Entries) find(key string) (int, bool) {
	return slices.BinarySearchFunc(es, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
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
	o := decodeText(e.Value).object()
	setup := o.find("channel_setup")
	return setup != nil && !node{o.d, setup.at}.isNull()
}

// Sort puts entries into the order of their keys.
func (es Entries) Sort() {
	slices.SortFunc(es, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
}
