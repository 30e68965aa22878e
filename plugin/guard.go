package plugin

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/niftynei/glightning/glightning"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
)

// GuardTimeout is how long the service may think about an opening. lightningd
// waits for a hook for ever.
const GuardTimeout = 5 * time.Second

// openingCommands are the commands of v26.06 that open a channel or bring an
// opening further. Splices are not among them: they keep their channel and its
// dbid.
var openingCommands = []string{
	"fundchannel", "multifundchannel",
	"fundchannel_start", "fundchannel_complete",
	"openchannel_init", "openchannel_update", "openchannel_signed", "openchannel_bump",
}

// toPeer is what the peer reads. It must not learn that this node lost its
// state: the whole reason is in the log.
const toPeer = string(failure.OpeningRefused) + ": this node accepts no new channels at present"

func (p *plugin) hooks() []lightningd.Hook {
	refuse := new(glightning.OpenChannelEvent).Reject(toPeer)
	return []lightningd.Hook{
		{
			Name: "openchannel", Timeout: GuardTimeout + time.Second, Fallback: refuse,
			Call: func(ctx context.Context, payload json.RawMessage) any {
				return p.inbound(ctx, payload, "openchannel")
			},
		},
		{
			// The answer "continue" of a later plugin makes lightningd forget
			// what an earlier one contributes: stand before funder.
			Name: "openchannel2", Before: []string{"funder"}, Timeout: GuardTimeout + time.Second, Fallback: refuse,
			Call: func(ctx context.Context, payload json.RawMessage) any {
				return p.inbound(ctx, payload, "openchannel2")
			},
		},
		{
			Name: "rpc_command", Filters: openingCommands, Timeout: GuardTimeout + time.Second,
			Fallback: refuseCommand(failure.New(failure.OpeningRefused, "Look into lightningd's log", "glrecover's guard against new channels did not answer")),
			Call:     p.outbound,
		},
	}
}

// inbound answers openchannel and openchannel2.
func (p *plugin) inbound(ctx context.Context, payload json.RawMessage, how string) any {
	var open struct {
		ID string `json:"id"`
	}
	if inner := unwrap(payload, how); inner != nil {
		_ = json.Unmarshal(inner, &open) // without id the peer is unknown
	}
	if err := p.allowed(ctx, parsePeer(open.ID), how); err != nil {
		return new(glightning.OpenChannelEvent).Reject(toPeer)
	}
	return new(glightning.OpenChannelEvent).Continue()
}

// outbound answers rpc_command. Releases without filters ask for every command,
// also for those that the service itself calls: anything else passes at once.
func (p *plugin) outbound(ctx context.Context, payload json.RawMessage) any {
	var cmd glightning.RpcCmd
	if inner := unwrap(payload, "rpc_command"); inner == nil || json.Unmarshal(inner, &cmd) != nil || !opens(cmd.MethodName) {
		return new(glightning.RpcCommandEvent).Continue()
	}
	for _, peer := range peersOf(cmd.MethodName, cmd.RawParams) {
		if err := p.allowed(ctx, peer, cmd.MethodName); err != nil {
			return refuseCommand(err)
		}
	}
	return new(glightning.RpcCommandEvent).Continue()
}

func opens(command string) bool {
	for _, c := range openingCommands {
		if c == command {
			return true
		}
	}
	return false
}

// allowed asks the service; a panic in it and silence mean no.
func (p *plugin) allowed(ctx context.Context, peer *channel.PubKey, how string) error {
	s := p.current()
	if s == nil {
		return nil // before init nothing was ever imported in this run
	}
	ctx, cancel := context.WithTimeout(ctx, GuardTimeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		answer <- failure.Guard(p.log, "guard", func() error { return s.OpeningAllowed(ctx, peer, how) })
	}()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = failure.New(failure.OpeningRefused, "Try again in a minute", "glrecover could not tell in time whether an opening is safe")
	}
	if err != nil {
		who := "a peer"
		if peer != nil {
			who = peer.String()
		}
		p.log.Warnf("refused the opening of a channel with %s (%s): %v", who, how, err)
	}
	return err
}

// refuseCommand is the answer that makes the command fail with the reason. The
// caller sees it under the name of the guard, whatever stopped the service.
func refuseCommand(err error) any {
	if failure.NameOf(err) != failure.OpeningRefused {
		err = failure.New(failure.OpeningRefused, "", "%v", err)
	}
	answer, encodeErr := new(glightning.RpcCommandEvent).ReturnError(err.Error(), failure.OpeningRefused.Code())
	if encodeErr != nil { // text and a number always encode
		return nil
	}
	return answer
}

// peersOf lists the peers that an opening command names; a nil peer stands for
// one that it does not name, or not as a node id.
func peersOf(command string, params json.RawMessage) []*channel.PubKey {
	members, list, err := lightningd.Split(params)
	if err != nil {
		return []*channel.PubKey{nil}
	}
	wanted := "id"
	if command == "multifundchannel" {
		wanted = "destinations"
	}
	var peers []*channel.PubKey
	for i, m := range members {
		if list && i > 0 || !list && m.Name != wanted {
			continue
		}
		if command == "multifundchannel" {
			peers = append(peers, destinations(m.Raw)...)
		} else {
			peers = append(peers, parsePeer(text(m.Raw)))
		}
	}
	if len(peers) == 0 {
		peers = []*channel.PubKey{nil}
	}
	return peers
}

// destinations are the peers of multifundchannel's first parameter.
func destinations(raw json.RawMessage) []*channel.PubKey {
	var peers []*channel.PubKey
	elements, _, err := lightningd.Split(raw)
	if err != nil {
		return []*channel.PubKey{nil}
	}
	for _, e := range elements {
		members, _, err := lightningd.Split(e.Raw)
		if err != nil {
			return []*channel.PubKey{nil}
		}
		for _, m := range members {
			if m.Name == "id" {
				peers = append(peers, parsePeer(text(m.Raw)))
			}
		}
	}
	return peers
}

// parsePeer reads "id" or "id@host:port"; nil for anything else.
func parsePeer(s string) *channel.PubKey {
	id, _, _ := strings.Cut(s, "@")
	peer, err := channel.ParsePubKey(id)
	if err != nil {
		return nil
	}
	return &peer
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
