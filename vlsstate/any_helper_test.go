package vlsstate

import "bytes"

// ParseAny is ReadAny for text in memory.
func ParseAny(data []byte) (*Backup, error) { return ReadAny(bytes.NewReader(data)) }

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
