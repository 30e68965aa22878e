package scbconv

import (
	"encoding/hex"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/cores"
)

// Converted is what became of one channel.
type Converted struct {
	Channel *channel.Channel
	Choice  Choice
	// SCB is the entry in hex, "" where Err says why there is none.
	SCB string
	Err error
}

// Convert makes the entry that glrecover would send for each channel, in their
// order, and checks all of them together (From, Choose, Batch). known says which
// addresses there are of a peer; it is called from several goroutines. One bad channel
// never stops the others.
func Convert(channels []*channel.Channel, known func(channel.PubKey) Candidates) []Converted {
	out := make([]Converted, len(channels))
	made := make([]*Entry, len(channels))
	cores.Do(len(channels), func(i int) {
		c := channels[i]
		out[i] = Converted{Channel: c, Choice: Choose(known(c.Peer))}
		made[i], out[i].Err = From(c, out[i].Choice.Address)
	})
	var (
		entries []*Entry
		at      []int
	)
	for i, e := range made {
		if out[i].Err == nil {
			entries, at = append(entries, e), append(at, i)
		}
	}
	errs := Batch(entries)
	cores.Do(len(entries), func(j int) {
		o := &out[at[j]]
		if o.Err = errs[j]; o.Err == nil {
			// Batch has checked all that EncodeHex would.
			o.SCB = hex.EncodeToString(entries[j].marshal(entries[j].Address.append(nil)))
		}
	})
	return out
}
