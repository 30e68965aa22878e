package page

import (
	"bytes"
	_ "embed" // the template
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/tell"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"sat":    func(msat uint64) string { return Sat(msat / 1000) },
	"count":  Count,
	"height": func(height uint32) string { return Thousands(uint64(height)) },
	"clock":  Clock,
	// What the plugin wrote for people.
	"told": Amounts,
}).Parse(pageHTML))

// pageView is what the template shows. Amounts are msat.
type pageView struct {
	*tell.Status
	At       string
	Segments []segment
	Share    uint64
	Arrived  string
	Todo     []Todo
	Channels []channelView
	// Waits are what is waited for, with the channels that wait for it.
	Waits []waitView
}

// segment is one part of the bar.
type segment struct {
	Class, Name string
	Msat        uint64
	// Percent is its width.
	Percent float64
}

type waitView struct {
	What  string
	Where string
}

// channelView is one channel.
type channelView struct {
	*tell.ChannelStatus
	Number int
	// Peer is the beginning of its node id.
	Peer string
	// Word and Means say the state for people.
	Word, Means string
	// Tone is good, way or bad.
	Tone  string
	Waits string
	Steps []stepView
}

// stepView is one station of a channel's way.
type stepView struct {
	// Class is done, now, stop or next.
	Class, Name, Detail string
}

// Make draws a status as a page. It renders fields; the only sentences
// about a channel are those that the plugin wrote, and what its state means.
func Make(s *tell.Status, now time.Time) ([]byte, error) {
	v := &pageView{
		Status: s, At: now.UTC().Format("2006-01-02 15:04 UTC"), Segments: segmentsOf(s), Todo: Todos(s.Channels),
		Arrived: Percent(s.Totals.RecoveredMsat, max(s.Totals.LastKnownShareMsat, s.Totals.RecoveredMsat)),
	}
	where := map[string][]string{}
	var order []string
	for i := range s.Channels {
		c := viewOf(&s.Channels[i], i+1, now)
		v.Channels = append(v.Channels, c)
		if c.Waits == "" {
			continue
		}
		if where[c.Waits] == nil {
			order = append(order, c.Waits)
		}
		where[c.Waits] = append(where[c.Waits], fmt.Sprintf("#%d", c.Number))
	}
	for _, what := range order {
		v.Waits = append(v.Waits, waitView{what, strings.Join(where[what], ", ")})
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// segmentsOf are the parts of the bar: what came, what comes, and the rest of the
// last known share.
func segmentsOf(s *tell.Status) []segment {
	t := &s.Totals
	lost := uint64(0)
	for i := range s.Channels {
		lost = channel.Sum(lost, s.Channels[i].LostMsat)
	}
	parts := []segment{
		{Class: "got", Name: "in the wallet", Msat: t.RecoveredMsat},
		{Class: "coming", Name: "on the way, in a closing transaction", Msat: t.ExpectedMsat},
		{Class: "unclaimed", Name: "yours, not claimed yet", Msat: t.UnclaimedMsat},
		{Class: "lost", Name: "LOST to somebody else", Msat: lost},
	}
	known := uint64(0)
	for _, p := range parts {
		known = channel.Sum(known, p.Msat)
	}
	if t.LastKnownShareMsat > known {
		parts = append(parts, segment{Class: "rest", Name: "in no closing transaction yet, or spent on fees", Msat: t.LastKnownShareMsat - known})
	}
	whole := max(known, t.LastKnownShareMsat)
	var out []segment
	for _, p := range parts {
		if p.Msat > 0 {
			p.Percent = float64(p.Msat) / float64(whole) * 100
			out = append(out, p)
		}
	}
	return out
}

// viewOf is one channel for the page.
func viewOf(c *tell.ChannelStatus, number int, now time.Time) channelView {
	v := channelView{ChannelStatus: c, Number: number, Peer: c.PeerID.String()[:8], Word: StateText(c.State), Means: StateMeans[string(c.State)], Tone: toneOf(c), Steps: stepsOf(c)}
	if c.WaitsFor != "nothing" && c.WaitsFor != "" {
		v.Waits = waitLong[c.WaitsFor]
		if v.Waits == "" {
			v.Waits = c.WaitsFor
		}
		if next, err := time.Parse(time.RFC3339, c.NextTry); err == nil && c.WaitsFor == "peer" && next.After(now) {
			v.Waits += ", next try at " + next.UTC().Format("15:04:05 UTC")
		}
		switch until := waitsUntil(c); {
		case c.DeadlineBlock > 0:
			v.Waits += fmt.Sprintf(", at the latest in block %s", Thousands(uint64(c.DeadlineBlock)))
		case until > 0:
			v.Waits += fmt.Sprintf(", until block %s", Thousands(uint64(until)))
		}
	}
	return v
}

// waitsUntil is the block that a channel waits for, 0 if none is known.
func waitsUntil(c *tell.ChannelStatus) (height uint32) {
	if c.WaitsFor != "blocks" {
		return 0
	}
	if c.State == model.Credited {
		return c.FinalHeight
	}
	for _, o := range c.Outputs {
		if o.By == "" {
			height = max(height, o.From)
		}
	}
	return height
}

func toneOf(c *tell.ChannelStatus) string {
	switch c.State {
	case model.Credited, model.Resolved:
		return "good"
	case model.Cheated, model.LostTo, model.Forgotten, model.HostedAlive, model.NeedsOperator, model.NeedsAddress, model.NeedsSecret, model.PeerStale:
		return "bad"
	}
	return "way"
}

// stepsOf is a channel's way: what is done, where it is, and what follows.
func stepsOf(c *tell.ChannelStatus) []stepView {
	if c.State == model.LeftOut {
		return nil
	}
	closed := c.ClosingTxid != "" && !c.State.Asks()
	asked := stepView{Name: "Peer asked to close the channel", Detail: Clock(c.Asked)}
	if c.Asked == "" && closed {
		asked.Detail = "not needed, the channel was already closed"
	}
	seen := stepView{Name: "Closing transaction published"}
	block := stepView{Name: "Closing transaction confirmed"}
	coin := stepView{Name: "Coins in this node's wallet"}
	final := stepView{Name: "Final"}
	if c.ClosingHeight > 0 {
		block.Detail = "in block " + Thousands(uint64(c.ClosingHeight))
	}
	if c.FinalHeight > 0 {
		final.Detail = "at block " + Thousands(uint64(c.FinalHeight))
	}
	if c.RecoveredMsat > 0 {
		coin.Detail = Sat(c.RecoveredMsat / 1000)
	}
	done := 0
	switch {
	case c.State == model.Resolved:
		done = 5
	case c.State == model.Credited:
		done = 4
	case closed && c.ClosingHeight > 0:
		done = 3
	case closed:
		done = 2
	case c.Asked != "":
		done = 1
	}
	steps := []stepView{asked, seen, block, coin, final}
	for i := range steps {
		if i == done && steps[i].Detail == "" {
			steps[i].Detail = "not yet"
		}
		switch {
		case i < done:
			steps[i].Class = "done"
		case i > done:
			steps[i].Class = "next"
		case toneOf(c) == "bad":
			steps[i].Class = "stop"
		default:
			steps[i].Class = "now"
		}
	}
	return steps
}

// Clock shortens a time of the status; "" where it is none.
func Clock(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// waitLong is what a channel waits for, in words for a page.
var waitLong = map[string]string{
	"peer": "the peer", "blocks": "the next blocks", "fee": "a fee", "secret": "you: the node's secret (hsm_secret)",
	"address": "you: the peer's address", "operator": "you: a decision",
}
