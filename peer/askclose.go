package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
)

// Decide sees the peer's numbers for the channel before anything is sent on it
// and says whether to go on. The reason is kept in Outcome.Reason; for a peer
// that lost state it is "peer_stale".
type Decide func(Reestablish) (proceed bool, reason string)

// Ask is one request to close.
type Ask struct {
	Channel channel.ID
	// Decide is required.
	Decide Decide
	// Probe sends channel_reestablish with zero numbers also to a peer that
	// sent none in time, to hear what it says: CLN and lnd answer for a channel
	// that they closed. If the peer was only slow, this alone makes lnd close
	// before Decide saw its numbers: set it only where earlier numbers
	// satisfied Decide. Without the peer's channel_reestablish, error is never
	// sent.
	Probe bool
}

// Sent is how far our side of an AskClose got. The names are stable.
type Sent string

// What went out on the channel, in this order.
const (
	SentNothing     Sent = "nothing"
	SentReestablish Sent = "channel_reestablish"
	SentError       Sent = "error"
)

// Outcome is what became of one AskClose.
type Outcome struct {
	Heard
	Result Result
	// Reason is a short printable text: the peer's own words, Decide's reason,
	// or why the network failed.
	Reason string
	Sent   Sent
	// Before holds the peer's numbers as they were before anything was sent on
	// the channel; nil if the peer sent none.
	Before *Reestablish
}

// AskClose asks the peer to close one channel: init, read its
// channel_reestablish, Decide, send channel_reestablish with zero numbers, wait
// for the answer, send error, and hear what follows, repeating the error for
// Timeouts.Closing at most until the peer answers with its own. This order closes used and
// unused channels with CLN and lnd, and also makes a fundee that still awaits
// channel_ready close, which after a bare error would forget the channel.
//
// The result says what the peer said; whether the channel closes, the chain
// says. Nothing is retried here. Our zero numbers tell the peer that we lost our
// state: read its numbers before the first AskClose.
//
// The error is the context's (Outcome.Sent then says how far it got), matches
// ErrArgument, or is the node key's own.
func (c *Client) AskClose(ctx context.Context, t Target, ask Ask) (*Outcome, error) {
	o := &Outcome{Sent: SentNothing}
	if ask.Decide == nil {
		return o, fmt.Errorf("%w: AskClose without Decide", ErrArgument)
	}
	err := c.askClose(ctx, t, ask, o)
	var end *ending
	switch {
	case errors.As(err, &end):
		o.Result, o.Reason = end.result, end.reason
	case err != nil:
		return o, err
	}
	c.log.WithFields(logrus.Fields{
		"peer": t.Node.String(), "channel": ask.Channel.String(), "result": string(o.Result), "sent": string(o.Sent),
	}).Debug("asked the peer to close")
	return o, nil
}

// askClose always ends with an error; an *ending is the normal one.
func (c *Client) askClose(ctx context.Context, t Target, ask Ask, o *Outcome) error {
	s, err := c.open(ctx, t, &o.Heard)
	if err != nil {
		return err
	}
	defer s.close()
	s.ping()

	err = s.awaitReestablish(ctx, ask.Channel, &o.Heard)
	switch {
	case errors.Is(err, errTimeout) && !s.alive:
		return endf(Silent, "nothing after init")
	case errors.Is(err, errTimeout) && ask.Probe:
		// Nothing to decide on yet.
	case errors.Is(err, errTimeout):
		return endf(NoReestablish, "it sent no channel_reestablish for the channel")
	case err != nil:
		return err
	default:
		r, _ := o.For(ask.Channel)
		o.Before = &r
		if ok, reason := ask.Decide(r); !ok {
			return endf(Withheld, "%s", printable([]byte(reason)))
		}
	}

	if err := s.send(zeroReestablish(ask.Channel, c.key.PubKey())); err != nil {
		return s.lastWords(ctx, ask.Channel, &o.Heard, err)
	}
	o.Sent = SentReestablish
	answer, err := s.awaitAnswer(ctx, ask, o)
	if err != nil {
		return err
	}

	err = s.send(failChannel(ask.Channel))
	if err == nil {
		o.Sent = SentError
	}
	switch {
	case answer != nil && answer.fails():
		return endf(ClosedSaid, "%s", answer.words())
	case err != nil:
		return s.lastWords(ctx, ask.Channel, &o.Heard, err)
	}
	return s.awaitClosing(ctx, ask.Channel, answer, o)
}

// awaitReestablish reads until the peer's channel_reestablish for the channel.
func (s *session) awaitReestablish(ctx context.Context, id channel.ID, heard *Heard) error {
	return s.read(ctx, time.Now().Add(s.timeouts.Reestablish), heard, func(in inbound) (bool, error) {
		switch {
		case in.reestablish != nil:
			return in.reestablish.Channel == id, nil
		case in.said == nil || in.said.Kind != SaidError:
			return false, nil
		case in.said.Channel == id:
			// BOLT 2: a node that failed the channel sends error
			// again in place of channel_reestablish.
			return false, endf(ClosedSaid, "%s", in.said.words())
		case in.said.Channel == channel.ID{}:
			return false, endf(Refused, "%s", in.said.words())
		}
		return false, nil
	})
}

// awaitAnswer reads the answer to our zero numbers; nil means that none came in
// time, and the error may follow all the same: the peer handles a channel's
// messages in order. After a probe it first waits for the numbers.
func (s *session) awaitAnswer(ctx context.Context, ask Ask, o *Outcome) (*Said, error) {
	var answer *Said
	seen := o.Before != nil
	err := s.read(ctx, time.Now().Add(s.timeouts.Answer), &o.Heard, func(in inbound) (bool, error) {
		switch {
		case in.reestablish != nil && in.reestablish.Channel == ask.Channel && !seen:
			seen = true
			if ok, reason := ask.Decide(*in.reestablish); !ok {
				return false, endf(Withheld, "%s", printable([]byte(reason)))
			}
		case in.said != nil && in.said.about(ask.Channel):
			answer = in.said
			return true, nil
		}
		return false, nil
	})
	switch {
	case err != nil && !errors.Is(err, errTimeout):
		return nil, err
	case seen:
		return answer, nil
	case answer != nil:
		return nil, endf(NoReestablish, "%s", answer.words())
	}
	return nil, endf(NoReestablish, "it sent no channel_reestablish for the channel")
}

// awaitClosing hears what follows our error, and repeats it meanwhile: right
// after its warning CLN still hands an error to the subdaemon that it is ending,
// and it is lost (measured on v26.06.6). A CLN that took it answers the next one
// with its own.
func (s *session) awaitClosing(ctx context.Context, id channel.ID, answer *Said, o *Outcome) error {
	deadline := time.Now().Add(s.timeouts.Closing)
	for pause := s.timeouts.Closing / 10; ; pause *= 2 {
		next := time.Now().Add(pause)
		if next.After(deadline) {
			next = deadline
		}
		var last *Said
		err := s.read(ctx, next, &o.Heard, func(in inbound) (bool, error) {
			if in.said == nil || !in.said.about(id) {
				return false, nil
			}
			last = in.said
			return in.said.fails(), nil
		})
		if last != nil {
			answer = last
		}
		switch {
		case err == nil:
			return endf(ClosedSaid, "%s", answer.words())
		case errors.Is(err, errHungUp) && answer == nil:
			return endf(Asked, "it hung up after our error")
		case errors.Is(err, errHungUp):
			return endf(Asked, "%s", answer.words())
		case !errors.Is(err, errTimeout):
			return err
		case next.Before(deadline):
			if err := s.send(failChannel(id)); err != nil && !errors.Is(err, errHungUp) {
				return err
			}
		case answer == nil:
			return endf(Silent, "no answer to channel_reestablish and error")
		default:
			return endf(Asked, "%s", answer.words())
		}
	}
}

// lastWords reads what the peer said before it hung up on our write, for a
// better ending than lost.
func (s *session) lastWords(ctx context.Context, id channel.ID, heard *Heard, lost error) error {
	if !errors.Is(lost, errHungUp) {
		return lost
	}
	err := s.read(ctx, time.Now().Add(s.timeouts.Quiet), heard, func(in inbound) (bool, error) {
		if in.said != nil && in.said.Channel == id && in.said.fails() {
			return false, endf(ClosedSaid, "%s", in.said.words())
		}
		return false, nil
	})
	if errors.Is(err, errTimeout) {
		return lost
	}
	return err
}

// words is what to quote of it.
func (s *Said) words() string {
	if s.Text == "" {
		return string(s.Kind)
	}
	return s.Text
}
