package plugin

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// MaxInline is the largest backup, in bytes, that may be given as JSON instead
// of as a path.
const MaxInline = 4 << 20

const (
	category       = "recovery"
	paramBackup    = "backup"
	paramChannel   = "channel"
	paramAddresses = "addresses"
	paramMaxFee    = "max_fee_percent"
	paramWait      = "wait"
	paramPeers     = "peers"
	paramSince     = "since"
	paramStates    = "states"
	paramPreimage  = "preimage"
	paramOverride  = "override"
)

var (
	recoverParams = []lightningd.Param{
		{Name: paramBackup},
		{Name: "decommissioned"},
		{Name: "dry_run"},
		{Name: paramAddresses},
		{Name: "destination"},
		{Name: "feerate"},
		{Name: "skip_incomplete"},
		{Name: paramOverride},
		{Name: paramMaxFee},
		{Name: "extra"},
		{Name: paramWait},
		{Name: paramPeers},
		{Name: paramSince},
	}
	inspectParams = []lightningd.Param{{Name: paramBackup, Required: true}}
	findParams    = []lightningd.Param{{Name: paramBackup, Required: true}, {Name: paramStates}}
	channelParams = []lightningd.Param{{Name: paramChannel}}
	sweepParams   = []lightningd.Param{{Name: "dry_run"}, {Name: paramPreimage}, {Name: paramChannel}}
	retryParams   = []lightningd.Param{{Name: paramChannel}, {Name: paramOverride}}
)

// paramsOf lists each method's parameters, in positional order.
var paramsOf = map[string][]lightningd.Param{
	"glrecover":         recoverParams,
	"glrecover-inspect": inspectParams,
	"glrecover-find":    findParams,
	"glrecover-status":  channelParams,
	"glrecover-report":  nil,
	"glrecover-retry":   retryParams,
	"glrecover-forget":  channelParams,
	"glrecover-sweep":   sweepParams,
}

func (p *plugin) methods() []lightningd.Method {
	return []lightningd.Method{
		method(p, "glrecover", parseRecover,
			func(ctx context.Context, s Service, a api.RecoverParams, r *lightningd.Request) (any, error) {
				return whileSyncing(ctx, a.Wait, r, func() (any, error) { return s.Recover(ctx, a, r) })
			}),
		method(p, "glrecover-inspect", parseInspect,
			func(ctx context.Context, s Service, b api.Backup, _ *lightningd.Request) (any, error) {
				return s.Inspect(ctx, b)
			}),
		method(p, "glrecover-find", parseFind,
			func(ctx context.Context, s Service, a findRequest, r *lightningd.Request) (any, error) {
				return s.Find(ctx, a.backup, a.states, r)
			}),
		method(p, "glrecover-status", parseChannel,
			func(ctx context.Context, s Service, ch string, _ *lightningd.Request) (any, error) {
				return s.Status(ctx, ch)
			}),
		method(p, "glrecover-report", parseNothing,
			func(ctx context.Context, s Service, _ struct{}, _ *lightningd.Request) (any, error) {
				return s.Report(ctx)
			}),
		method(p, "glrecover-retry", parseRetry,
			func(ctx context.Context, s Service, a retryRequest, _ *lightningd.Request) (any, error) {
				return s.Retry(ctx, a.channel, a.override)
			}),
		method(p, "glrecover-sweep", parseSweep,
			func(ctx context.Context, s Service, a api.SweepParams, _ *lightningd.Request) (any, error) {
				return s.Sweep(ctx, a)
			}),
		method(p, "glrecover-forget", parseChannel,
			func(ctx context.Context, s Service, ch string, _ *lightningd.Request) (any, error) {
				return s.Forget(ctx, ch)
			}),
	}
}

// method makes an RPC method of a parser, which is all that `check` runs, and a
// call of the service.
func method[T any](p *plugin, name string, parse func(json.RawMessage) (T, error),
	call func(context.Context, Service, T, *lightningd.Request) (any, error),
) lightningd.Method {
	m := manuals[name]
	return lightningd.Method{
		Name: name, Usage: usage(paramsOf[name]), Category: category, Description: m.summary, LongDescription: m.text(),
		Check: func(raw json.RawMessage) error {
			_, err := parse(raw)
			return err
		},
		Call: func(ctx context.Context, r *lightningd.Request) (any, error) {
			args, err := parse(r.Params)
			if err != nil {
				return nil, err
			}
			s, err := p.ready(ctx)
			if err != nil {
				return nil, err
			}
			return call(ctx, s, args, r)
		},
	}
}

func usage(params []lightningd.Param) string {
	var words []string
	for _, p := range params {
		if p.Required {
			words = append(words, p.Name)
		} else {
			words = append(words, "["+p.Name+"]")
		}
	}
	return strings.Join(words, " ")
}

func parseRecover(raw json.RawMessage) (out api.RecoverParams, err error) {
	p, err := lightningd.ParseParams(raw, recoverParams)
	if err != nil {
		return out, err
	}
	if len(p[paramBackup]) > 0 {
		if out.Backup, err = readBackup(p); err != nil {
			return out, err
		}
	}
	if out.Peers, err = readAddresses(p, paramPeers); err != nil {
		return out, err
	}
	if out.Backup.None() && len(out.Peers) == 0 {
		return out, failure.New(failure.InvalidParameter, "Give the signer backup; or, if there is none, peers=NODE_ID@HOST:PORT of the lost node's peers",
			"parameter %q is missing", paramBackup)
	}
	if out.Since, err = readSince(p); err != nil {
		return out, err
	}
	if out.Decommissioned, err = p.Bool("decommissioned"); err != nil {
		return out, err
	}
	if out.DryRun, err = p.Bool("dry_run"); err != nil {
		return out, err
	}
	if out.Addresses, err = readAddresses(p, paramAddresses); err != nil {
		return out, err
	}
	if out.Destination, err = p.String("destination"); err != nil {
		return out, err
	}
	if out.Feerate, err = p.StringOrNumber("feerate"); err != nil {
		return out, err
	}
	if out.SkipIncomplete, err = p.Bool("skip_incomplete"); err != nil {
		return out, err
	}
	if out.Override, err = p.Strings(paramOverride); err != nil {
		return out, err
	}
	if out.MaxFeePercent, err = p.Uint(paramMaxFee, 100); err != nil {
		return out, err
	}
	if out.Extra, err = p.Bool("extra"); err != nil {
		return out, err
	}
	out.Wait, err = readWait(p)
	return out, err
}

// maxWait is the longest wait for a node that syncs: a first synchronisation may
// take a day.
const maxWait = 7 * 24 * time.Hour

func readWait(p lightningd.Params) (time.Duration, error) {
	text, err := p.StringOrNumber(paramWait)
	if err != nil || text == "" {
		return 0, err
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if wait := time.Duration(seconds) * time.Second; err == nil && wait <= maxWait {
		return wait, nil
	}
	return 0, failure.New(failure.InvalidParameter, "Write wait=SECONDS", "parameter %q is not a number of seconds from 0 to %d", paramWait, int(maxWait.Seconds()))
}

// readSince reads a day.
func readSince(p lightningd.Params) (time.Time, error) {
	text, err := p.String(paramSince)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, failure.New(failure.InvalidParameter, "Write since=2024-06-30", "parameter %q is not a date", paramSince)
	}
	return day, nil
}

// syncLook is the time between two looks at a node that syncs.
const syncLook = 5 * time.Second

// whileSyncing repeats a call that is refused because the node is behind the
// chain, until the wait is over.
func whileSyncing(ctx context.Context, wait time.Duration, progress api.Progress, call func() (any, error)) (any, error) {
	until := time.Now().Add(wait)
	for {
		answer, err := call()
		left := time.Until(until)
		if failure.NameOf(err) != failure.NodeSyncing || left <= 0 {
			return answer, err
		}
		progress.Message(fmt.Sprintf("the node is still catching up with the chain; waiting for it, %s at most", left.Round(time.Second)))
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(min(left, syncLook)):
		}
	}
}

func parseInspect(raw json.RawMessage) (api.Backup, error) {
	p, err := lightningd.ParseParams(raw, inspectParams)
	if err != nil {
		return api.Backup{}, err
	}
	return readBackup(p)
}

// findRequest are the parameters of glrecover-find.
type findRequest struct {
	backup api.Backup
	states uint64
}

func parseFind(raw json.RawMessage) (out findRequest, err error) {
	p, err := lightningd.ParseParams(raw, findParams)
	if err != nil {
		return out, err
	}
	if out.backup, err = readBackup(p); err != nil {
		return out, err
	}
	states, err := p.Uint(paramStates, find.MaxStates)
	if out.states = find.States; states != nil {
		out.states = *states
	}
	return out, err
}

func parseChannel(raw json.RawMessage) (string, error) {
	p, err := lightningd.ParseParams(raw, channelParams)
	if err != nil {
		return "", err
	}
	return p.String(paramChannel)
}

func parseSweep(raw json.RawMessage) (out api.SweepParams, err error) {
	p, err := lightningd.ParseParams(raw, sweepParams)
	if err != nil {
		return out, err
	}
	if out.DryRun, err = p.Bool("dry_run"); err != nil {
		return out, err
	}
	texts, err := p.Strings(paramPreimage)
	if err != nil {
		return out, err
	}
	for _, text := range texts {
		var preimage api.Preimage
		if n, err := hex.Decode(preimage[:], []byte(text)); len(text) != 2*len(preimage) || n != len(preimage) || err != nil {
			return out, failure.New(failure.InvalidParameter, "Write preimage= and 64 hex digits", "parameter %q is not a preimage", paramPreimage)
		}
		out.Preimages = append(out.Preimages, preimage)
	}
	out.Channel, err = p.String(paramChannel)
	return out, err
}

func parseNothing(raw json.RawMessage) (struct{}, error) {
	_, err := lightningd.ParseParams(raw, nil)
	return struct{}{}, err
}

// retryRequest are the parameters of glrecover-retry.
type retryRequest struct {
	channel  string
	override []string
}

func parseRetry(raw json.RawMessage) (out retryRequest, err error) {
	p, err := lightningd.ParseParams(raw, retryParams)
	if err != nil {
		return out, err
	}
	if out.channel, err = p.String(paramChannel); err != nil {
		return out, err
	}
	out.override, err = p.Strings(paramOverride)
	return out, err
}

// readBackup tells a path from JSON. JSON may also come as a string, from
// clients that cannot do otherwise.
func readBackup(p lightningd.Params) (api.Backup, error) {
	raw := bytes.TrimSpace(p[paramBackup])
	var inline []byte
	switch raw[0] {
	case '{':
		inline = raw
	case '"':
		text, err := p.String(paramBackup)
		if err != nil {
			return api.Backup{}, err
		}
		if !strings.HasPrefix(strings.TrimSpace(text), "{") {
			return api.Backup{Path: text}, nil
		}
		inline = []byte(text)
	default:
		return api.Backup{}, failure.New(failure.InvalidParameter,
			"Give the absolute path of the backup file, or its JSON", "parameter %q is neither a path nor a JSON object", paramBackup)
	}
	if len(inline) > MaxInline {
		return api.Backup{}, failure.New(failure.BackupTooLarge, "Give the absolute path of the file instead",
			"the backup is larger than the %d MiB that may be given as JSON", MaxInline>>20)
	}
	return api.Backup{Inline: inline}, nil
}

// readAddresses takes an object of node ids and addresses, or NODE_ID@HOST:PORT as
// a text or an array of them. What the addresses are is checked later.
func readAddresses(p lightningd.Params, name string) (map[channel.PubKey]string, error) {
	form := "Write " + name + "=NODE_ID@HOST:PORT"
	out := map[channel.PubKey]string{}
	raw := p[name]
	switch {
	case len(raw) == 0:
		return nil, nil
	case raw[0] == '"' || raw[0] == '[':
		lists, err := p.Strings(name)
		if err != nil {
			return nil, err
		}
		given, err := scbconv.ReadPeerAddresses(strings.Join(lists, ","))
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, form, "parameter %q: %v", name, err)
		}
		for peer, a := range given {
			out[peer] = a.String()
		}
		return out, nil
	}
	texts, err := p.StringMap(name)
	if err != nil {
		return nil, err
	}
	for id, address := range texts {
		peer, err := channel.ParsePubKey(strings.TrimSpace(id))
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, form, "parameter %q has a key that is not a node id", name)
		}
		if _, ok := out[peer]; ok {
			return nil, failure.New(failure.InvalidParameter, "", "parameter %q names a node twice", name)
		}
		out[peer] = address
	}
	return out, nil
}
