package peer

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
)

// Reading is what one reading session brought.
type Reading struct {
	Heard
	// Result is Read, or one of Evicted, Refused, Silent, Garbage, WrongKey,
	// Unreachable. Heard holds whatever came before.
	Result Result
	// Reason is a short printable text for people; empty for Read.
	Reason string
}

// Read connects, reads what the peer says unasked and hangs up; it sends init,
// a ping and pongs, and nothing on any channel. It is over when the peer spoke
// about every expected channel and was then silent for Timeouts.Quiet, without
// expected channels when it spoke about any, and at the latest after
// Timeouts.Reestablish plus Quiet.
//
// The error is the context's, matches ErrArgument, or is the node key's own;
// whatever the peer or the network did is in the result.
func (c *Client) Read(ctx context.Context, t Target, expect ...channel.ID) (*Reading, error) {
	n := &Reading{}
	err := c.read(ctx, t, n, expect)
	var end *ending
	switch {
	case err == nil:
		n.Result = Read
	case errors.As(err, &end):
		n.Result, n.Reason = end.result, end.reason
	default:
		return n, err
	}
	c.log.WithFields(logrus.Fields{
		"peer": t.Node.String(), "result": string(n.Result), "channels": len(n.Channels), "storage": len(n.PeerStorage),
	}).Debug("read the peer's numbers")
	return n, nil
}

func (c *Client) read(ctx context.Context, t Target, n *Reading, expect []channel.ID) error {
	s, err := c.open(ctx, t, &n.Heard)
	if err != nil {
		return err
	}
	defer s.close()
	s.ping()

	missing := make(map[channel.ID]bool, len(expect))
	for _, id := range expect {
		missing[id] = true
	}
	complete := func() bool { return len(missing) == 0 && (len(expect) > 0 || len(n.Channels) > 0) }
	wait := time.Now().Add(s.timeouts.Reestablish)
	hard := wait.Add(s.timeouts.Quiet)
	for {
		deadline := wait
		if complete() {
			deadline = time.Now().Add(s.timeouts.Quiet)
			if deadline.After(hard) {
				deadline = hard
			}
		}
		err := s.read(ctx, deadline, &n.Heard, func(in inbound) (bool, error) {
			switch {
			case in.reestablish != nil:
				delete(missing, in.reestablish.Channel)
				return true, nil
			case in.said != nil && in.said.Kind == SaidError && in.said.Channel == channel.ID{}:
				return false, endf(Refused, "%s", in.said.Text)
			case in.said != nil:
				if in.said.fails() {
					delete(missing, in.said.Channel)
				}
				return true, nil
			}
			return in.storage != nil, nil
		})
		switch {
		case err == nil:
		case errors.Is(err, errTimeout):
			if !s.alive {
				return endf(Silent, "nothing after init")
			}
			return nil
		case errors.Is(err, errHungUp) && len(expect) > 0 && complete():
			return nil
		default:
			return err
		}
	}
}
