package recovery

import (
	"context"
	"fmt"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/recovery/tell"
)

// Done is the answer of the commands that only act.
type Done struct {
	Channels []string `json:"channels"`
	Note     string   `json:"note"`
}

// Status tells every channel's state, or one's. It answers from what the owner of
// the state published last.
func (s *Service) Status(_ context.Context, which string) (any, error) {
	st, err := tell.Of(s.seen.Load(), which)
	if err == nil && s.facts.Options.OpeningsTrouble != "" {
		st.Alarms = append(st.Alarms, s.facts.Options.OpeningsTrouble)
	}
	return st, err
}

// Page is the answer of glrecover-report.
type Page struct {
	HTML string `json:"html"`
}

// Report is the status as a page for a browser.
func (s *Service) Report(ctx context.Context) (any, error) {
	answer, err := s.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	html, err := page.Make(answer.(*tell.Status), s.Now())
	if err != nil {
		return nil, fmt.Errorf("the page could not be made: %w", err)
	}
	return &Page{HTML: string(html)}, nil
}

// Retry tries the peers of all channels, or of one, at once. The override
// ask_first, for channels that the user names, gives these to lightningd although
// their peers have not closed them (money rule 4b).
func (s *Service) Retry(_ context.Context, which string, override []string) (any, error) {
	goOn := false
	for _, name := range override {
		if name != string(model.AskFirst) {
			return nil, failure.New(failure.InvalidParameter, "This can be overridden: "+string(model.AskFirst), "override: nothing of this name can be overridden here")
		}
		goOn = true
	}
	if goOn && which == "" {
		return nil, failure.New(failure.InvalidParameter, "Name one with channel=, as glrecover-status lists them",
			"override=%s is for one channel, or for those of one peer", model.AskFirst)
	}
	st := s.seen.Load()
	keys, err := tell.Select(st, which)
	if err != nil {
		return nil, err
	}
	d := &Done{Channels: []string{}, Note: "see glrecover-status"}
	for _, k := range keys {
		if c := st.Channels[k]; c.State.Asks() || c.State == model.NeedsOperator {
			d.Channels = append(d.Channels, c.Channel.ID().String())
		}
	}
	s.send(model.RetrySaid{Keys: keys, Named: which != "", GoOn: goOn})
	return d, nil
}

// Forget deletes our record of channels, and nothing else. It is refused while
// an output of theirs is unclaimed or can still come; without a channel it takes
// those for which that is not so.
func (s *Service) Forget(ctx context.Context, which string) (any, error) {
	st := s.seen.Load()
	keys, err := tell.Select(st, which)
	if err != nil {
		return nil, err
	}
	var done []channel.Key
	d := &Done{Channels: []string{}, Note: "only glrecover's own record was deleted; lightningd and the chain are untouched. " +
		"Open no channel with these peers on this node all the same"}
	for _, k := range keys {
		c := st.Channels[k]
		switch {
		case st.Finished(c):
			done = append(done, k)
			d.Channels = append(d.Channels, c.Channel.ID().String())
		case err == nil:
			err = failure.New(failure.Unclaimed, "Wait until glrecover-status shows it as resolved",
				"channel %s is %s: what it holds may still be yours", c.Channel.ID(), c.State)
		}
	}
	if which == "" && len(done) > 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	n := s.calls.begin(nil)
	defer s.calls.end(n)
	s.send(model.ForgetSaid{Call: n.id, Keys: done})
	r, err := n.wait(ctx)
	if err != nil {
		return nil, err
	}
	if r.Trouble != "" {
		return nil, failure.New(failure.Internal, "Try again; look at lightningd's log", "the record could not be deleted: %s", r.Trouble)
	}
	return d, nil
}
