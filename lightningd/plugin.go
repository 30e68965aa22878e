package lightningd

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sirupsen/logrus"
)

// Plugin describes what lightningd may call. Serve runs it. All functions are
// called in goroutines of their own and must guard what they share; a panic in
// one of them is logged without its parameters and answered as internal_error.
type Plugin struct {
	Options       []Option
	Methods       []Method
	Hooks         []Hook
	Subscriptions []Subscription
	// Init is called once, before any method, but perhaps after a hook. It
	// must not wait for lightningd. A reason disables the plugin: lightningd
	// ends it and shows the reason.
	Init func(Init) (disable string)
	Log  logrus.FieldLogger
}

// Method is one RPC method of ours.
type Method struct {
	Name string
	// Usage names the parameters in order, optional ones in brackets.
	Usage string
	// Description is one line, LongDescription the manual. lightningd v26.06
	// keeps neither; older ones show them in `help`.
	Description     string
	LongDescription string
	Category        string
	// Check validates parameters and does nothing else (`check` command).
	Check func(params json.RawMessage) error
	// Call returns a value that encodes to a JSON object; nil becomes {}.
	Call func(ctx context.Context, req *Request) (any, error)
}

// Hook is one hook of ours. lightningd waits for the answer for ever, and an
// error as answer ends lightningd, so there is always a result.
type Hook struct {
	Name string
	// Before names plugins that must be asked after us.
	Before []string
	// Filters restricts the calls (rpc_command: method names); releases that
	// do not know filters ignore it and call for everything.
	Filters []string
	// Timeout is how long Call may take before Fallback answers.
	Timeout time.Duration
	Call    func(ctx context.Context, payload json.RawMessage) any
	// Fallback is the answer when Call panics or takes too long, or the payload
	// cannot be read.
	Fallback any
}

// Subscription is one notification that we want. Notifications are handled one
// after the other, in lightningd's order.
type Subscription struct {
	Topic  string
	Handle func(payload json.RawMessage)
}

// Init is what lightningd says when it has started the plugin.
type Init struct {
	// LightningDir is the directory of the network, RPCSocket the absolute
	// path of the JSON-RPC socket in it.
	LightningDir string
	RPCSocket    string
	Network      string
	// Startup is false for `plugin start`.
	Startup bool
	// Proxy is "host:port" of lightningd's SOCKS5 proxy, or "".
	Proxy          string
	AlwaysUseProxy bool
	// Options holds the values of the options that are set.
	Options map[string][]string
}

// Request is one call of a Method.
type Request struct {
	// Params is the raw JSON object or array, byte for byte as it came; nil
	// where there was none.
	Params json.RawMessage

	out  *Output
	id   json.RawMessage
	done <-chan struct{}
}

// Message shows one line to the caller, where it listens to notifications (as
// lightning-cli does). It does nothing after the answer.
func (r *Request) Message(text string) {
	r.notify("message", messageParams{ID: r.id, Level: LevelInfo, Message: text})
}

// Step shows that done of total steps are finished. It does nothing after the
// answer and for a total below 2: lightning-cli divides by total-1 to draw its
// bar and crashes on a total of 1 (CLN v26.06.6, cli/lightning-cli.c,
// handle_notify), and a num of total or more overruns the bar.
func (r *Request) Step(done, total uint32) {
	if total < 2 {
		return
	}
	// lightningd counts from 0; lightning-cli shows num+1 of total.
	r.notify("progress", progressParams{ID: r.id, Num: min(max(done, 1), total) - 1, Total: total})
}

func (r *Request) notify(method string, params any) {
	select {
	case <-r.done:
	default:
		r.out.send(notification(method, params))
	}
}

type messageParams struct {
	ID      json.RawMessage `json:"id"`
	Level   Level           `json:"level"`
	Message string          `json:"message"`
}

type progressParams struct {
	ID    json.RawMessage `json:"id"`
	Num   uint32          `json:"num"`
	Total uint32          `json:"total"`
}
