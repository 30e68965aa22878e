package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/api"
)

// MaxInline is the largest backup, in bytes, that may be given as JSON instead
// of as a path.
const MaxInline = 4 << 20

const (
	category       = "recovery"
	paramBackup    = "backup"
	paramChannel   = "channel"
	paramAddresses = "addresses"
)

var (
	recoverParams = []lightningd.Param{
		{Name: paramBackup, Required: true},
		{Name: "decommissioned"},
		{Name: "dry_run"},
		{Name: paramAddresses},
		{Name: "destination"},
		{Name: "feerate"},
		{Name: "skip_incomplete"},
		{Name: "override"},
	}
	inspectParams = []lightningd.Param{{Name: paramBackup, Required: true}}
	channelParams = []lightningd.Param{{Name: paramChannel}}
)

// paramsOf lists each method's parameters, in positional order.
var paramsOf = map[string][]lightningd.Param{
	"glrecover":         recoverParams,
	"glrecover-inspect": inspectParams,
	"glrecover-status":  channelParams,
	"glrecover-retry":   channelParams,
	"glrecover-forget":  channelParams,
}

func (p *plugin) methods() []lightningd.Method {
	return []lightningd.Method{
		method(p, "glrecover", parseRecover,
			func(ctx context.Context, s Service, a api.RecoverParams, r *lightningd.Request) (any, error) {
				return s.Recover(ctx, a, r)
			}),
		method(p, "glrecover-inspect", parseInspect,
			func(ctx context.Context, s Service, b api.Backup, _ *lightningd.Request) (any, error) {
				return s.Inspect(ctx, b)
			}),
		method(p, "glrecover-status", parseChannel,
			func(ctx context.Context, s Service, ch string, _ *lightningd.Request) (any, error) {
				return s.Status(ctx, ch)
			}),
		method(p, "glrecover-retry", parseChannel,
			func(ctx context.Context, s Service, ch string, _ *lightningd.Request) (any, error) {
				return s.Retry(ctx, ch)
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
	if out.Backup, err = readBackup(p); err != nil {
		return out, err
	}
	if out.Decommissioned, err = p.Bool("decommissioned"); err != nil {
		return out, err
	}
	if out.DryRun, err = p.Bool("dry_run"); err != nil {
		return out, err
	}
	if out.Addresses, err = readAddresses(p); err != nil {
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
	out.Override, err = p.Strings("override")
	return out, err
}

func parseInspect(raw json.RawMessage) (api.Backup, error) {
	p, err := lightningd.ParseParams(raw, inspectParams)
	if err != nil {
		return api.Backup{}, err
	}
	return readBackup(p)
}

func parseChannel(raw json.RawMessage) (string, error) {
	p, err := lightningd.ParseParams(raw, channelParams)
	if err != nil {
		return "", err
	}
	return p.String(paramChannel)
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

func readAddresses(p lightningd.Params) (map[channel.PubKey]string, error) {
	texts, err := p.StringMap(paramAddresses)
	if err != nil || texts == nil {
		return nil, err
	}
	out := make(map[channel.PubKey]string, len(texts))
	for id, address := range texts {
		peer, err := channel.ParsePubKey(id)
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, `Write addresses={"NODE_ID":"host:port"}`,
				"parameter %q has a key that is no node id", paramAddresses)
		}
		if _, ok := out[peer]; ok {
			return nil, failure.New(failure.InvalidParameter, "", "parameter %q names a node twice", paramAddresses)
		}
		out[peer] = address
	}
	return out, nil
}
