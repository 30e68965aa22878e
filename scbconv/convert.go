package scbconv

import "github.com/glrecover/glrecover/channel"

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
// addresses there are of a peer. One bad channel never stops the others.
func Convert(channels []*channel.Channel, known func(channel.PubKey) Candidates) []Converted {
	out := make([]Converted, len(channels))
	var (
		entries []*Entry
		at      []int
	)
	for i, c := range channels {
		out[i] = Converted{Channel: c, Choice: Choose(known(c.Peer))}
		e, err := From(c, out[i].Choice.Address)
		if err != nil {
			out[i].Err = err
			continue
		}
		entries, at = append(entries, e), append(at, i)
	}
	for j, err := range Batch(entries) {
		o := &out[at[j]]
		if err == nil {
			o.SCB, err = entries[j].EncodeHex()
		}
		o.Err = err
	}
	return out
}
