// Package hearing hears what peers say unasked, before anything is decided: of which
// channels they have with this node they speak (channel_reestablish), and which copy
// of the lost node's own backup they return (peer storage). Nothing is sent on any
// channel. Where there is no signer backup, this is how channels become known.
package hearing
