package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/plugin"
	"github.com/glrecover/glrecover/recovery/api"
)

const (
	keyA = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	keyB = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
)

// typo is a misspelling on purpose.
const typo = "decomi" + "ssioned"

// fake is a service that records what it was asked.
type fake struct {
	mu     sync.Mutex
	node   api.Node
	asked  []string
	events []string
	seen   *sync.Cond

	start   func(attempt int) error
	attempt int
	recover func(api.RecoverParams, api.Progress) (any, error)
	allowed func(ctx context.Context, peer *channel.PubKey, how string) error
}

func newFake() *fake {
	f := &fake{}
	f.seen = sync.NewCond(&f.mu)
	return f
}

func (f *fake) note(list *[]string, format string, args ...any) {
	f.mu.Lock()
	*list = append(*list, fmt.Sprintf(format, args...))
	f.mu.Unlock()
	f.seen.Broadcast()
}

func (f *fake) Start(_ context.Context, node api.Node) error {
	f.mu.Lock()
	f.node = node
	f.attempt++
	attempt := f.attempt
	f.mu.Unlock()
	if f.start != nil {
		return f.start(attempt)
	}
	return nil
}

func (f *fake) Recover(_ context.Context, p api.RecoverParams, progress api.Progress) (any, error) {
	fee := ""
	if p.MaxFeePercent != nil {
		fee = fmt.Sprintf(" max_fee_percent %d", *p.MaxFeePercent)
	}
	if p.Extra {
		fee += " extra"
	}
	if len(p.Peers) > 0 {
		fee += fmt.Sprintf(" peers %v since %s", p.Peers, p.Since.Format(time.DateOnly))
	}
	f.note(&f.asked, "recover %q %s %v %v %v %q %q %v %q%s", p.Backup.Path, p.Backup.Inline,
		p.Decommissioned, p.DryRun, p.Addresses, p.Destination, p.Feerate, p.SkipIncomplete, p.Override, fee)
	if f.recover != nil {
		return f.recover(p, progress)
	}
	return nil, nil
}

func (f *fake) Inspect(_ context.Context, b api.Backup) (any, error) {
	f.note(&f.asked, "inspect %q %s", b.Path, b.Inline)
	return nil, nil
}

func (f *fake) Find(_ context.Context, b api.Backup, states uint64, _ api.Progress) (any, error) {
	f.note(&f.asked, "find %q %d", b.Path, states)
	return nil, nil
}

func (f *fake) Status(_ context.Context, ch string) (any, error) {
	f.note(&f.asked, "status %q", ch)
	return map[string]string{"state": "credited"}, nil
}

func (f *fake) Report(context.Context) (any, error) {
	f.note(&f.asked, "report")
	return map[string]string{"html": "<p>"}, nil
}

func (f *fake) Retry(_ context.Context, ch string, override []string) (any, error) {
	f.note(&f.asked, "retry %q %q", ch, override)
	return nil, nil
}

func (f *fake) Sweep(_ context.Context, p api.SweepParams) (any, error) {
	f.note(&f.asked, "sweep %t %d %q", p.DryRun, len(p.Preimages), p.Channel)
	return nil, nil
}

func (f *fake) Forget(_ context.Context, ch string) (any, error) {
	f.note(&f.asked, "forget %q", ch)
	return nil, failure.New(failure.Unclaimed, "", "x")
}

func (f *fake) OpeningAllowed(ctx context.Context, peer *channel.PubKey, how string) error {
	who := "nobody"
	if peer != nil {
		who = peer.String()
	}
	f.note(&f.asked, "opening %s %s", how, who)
	f.mu.Lock()
	allowed := f.allowed
	f.mu.Unlock()
	if allowed != nil {
		return allowed(ctx, peer, how)
	}
	return nil
}

func (f *fake) allow(allowed func(context.Context, *channel.PubKey, string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.allowed = allowed
}

func (f *fake) BlockAdded()                       { f.note(&f.events, "block") }
func (f *fake) PeerConnected(peer channel.PubKey) { f.note(&f.events, "connected %s", peer) }
func (f *fake) ChannelStateChanged()              { f.note(&f.events, "state") }
func (f *fake) ChannelOpened(peer channel.PubKey, txid string) {
	f.note(&f.events, "opened %s %s", peer, txid)
}

func (f *fake) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return ""
	}
	return f.asked[len(f.asked)-1]
}

func (f *fake) openings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, a := range f.asked {
		if o, ok := strings.CutPrefix(a, "opening "); ok {
			out = append(out, o)
		}
	}
	f.asked = nil
	return out
}

// run starts the plugin with the service on a lightningd of this version.
func run(t *testing.T, version string, f *fake) *lightningdtest.Node {
	t.Helper()
	t.Setenv("LIGHTNINGD_VERSION", version)
	return lightningdtest.Start(t, func(ctx context.Context, in io.Reader, out io.Writer) int {
		return plugin.Main(ctx, in, out, func(_ *lightningd.Client, log logrus.FieldLogger) plugin.Service {
			log.WithField("b", 2).WithField("a", 1).Infof("made\n")
			log.Warn("warned")
			log.Error("failed")
			log.Debug("said")
			return f
		})
	})
}

func started(t *testing.T) (*lightningdtest.Node, *fake) {
	t.Helper()
	f := newFake()
	n := run(t, "v26.06.6", f)
	if a := n.Init("/dir/rpc", nil); string(a.Result) != "{}" {
		t.Fatalf("init: %+v", a)
	}
	return n, f
}

func TestManifestDeclaresEverything(t *testing.T) {
	n := run(t, "v26.06.6", newFake())
	var m struct {
		Options []struct {
			Name, Type string
			Multi      bool
		}
		RPCMethods []struct{ Name, Usage string }
		Hooks      []struct {
			Name            string
			Before, Filters []string
		}
		Subscriptions                    []string
		Dynamic, NonNumericIDs, CanCheck bool
	}
	if err := json.Unmarshal(n.Call("getmanifest", `{}`).Result, &m); err != nil {
		t.Fatal(err)
	}
	want := "{[{glrecover-hsm-secret string false} {glrecover-allow-openings string true}] " +
		"[{glrecover [backup] [decommissioned] [dry_run] [addresses] [destination] [feerate] [skip_incomplete] [override] [max_fee_percent] [extra] [wait] [peers] [since]} " +
		"{glrecover-inspect backup} {glrecover-find backup [states]} {glrecover-status [channel]} {glrecover-report } {glrecover-retry [channel] [override]} {glrecover-sweep [dry_run] [preimage] [channel]} {glrecover-forget [channel]}] " +
		"[{openchannel [] []} {openchannel2 [funder] []} " +
		"{rpc_command [] [fundchannel multifundchannel fundchannel_start fundchannel_complete openchannel_init openchannel_update openchannel_signed openchannel_bump]}] " +
		"[shutdown block_added connect channel_state_changed channel_opened] true true true}"
	if fmt.Sprint(m) != want {
		t.Errorf("got %v", m)
	}
}

func TestInitTellsTheServiceWhereItIs(t *testing.T) {
	f := newFake()
	n := run(t, "v25.02-modded", f)
	n.Call("getmanifest", `{}`)
	n.Call("init", `{"options":{"glrecover-hsm-secret":"/s","glrecover-allow-openings":["all","`+keyA+`"]},"configuration":{
		"lightning-dir":"/l/regtest","rpc-file":"rpc","startup":true,"network":"regtest",
		"proxy":{"type":"ipv4","address":"127.0.0.1","port":9050},"torv3-enabled":true,"always_use_proxy":true}}`)
	n.Call("glrecover-status", `{}`)
	a, _ := channel.ParsePubKey(keyA)
	want := api.Node{
		RPCSocket: "/l/regtest/rpc", LightningDir: "/l/regtest", Network: "regtest", Version: "v25.02-modded",
		AtStartup: true, Proxy: "127.0.0.1:9050", AlwaysUseProxy: true,
		Options: api.Options{HSMSecretPath: "/s", AllowOpenings: []channel.PubKey{a}, AllowAllOpenings: true},
	}
	if fmt.Sprint(f.node) != fmt.Sprint(want) {
		t.Errorf("got %+v", f.node)
	}
}

func TestOldOrUnknownLightningdIsRefusedWithTheReason(t *testing.T) {
	for version, words := range map[string]string{
		"v24.11.1": "lightningd v24.11.1 is older than v25.02",
		"24.08":    "lightningd 24.08 is older than v25.02",
		"":         "cannot tell the version",
		"abcdef0":  "cannot tell the version",
	} {
		f := newFake()
		n := run(t, version, f)
		a := n.Init("/rpc", nil)
		if !strings.Contains(string(a.Result), `"disable":"unsupported_lightningd: `) || !strings.Contains(string(a.Result), words) {
			t.Errorf("%q: got %s", version, a.Result)
		}
		n.WaitLog("disabled: unsupported_lightningd")
		if f.attempt != 0 {
			t.Errorf("%q: the service was started", version)
		}
	}
}

// TestAMistypedOptionLeavesTheGuardUp: without the plugin nothing would refuse an
// opening. What can be read of the option counts.
func TestAMistypedOptionLeavesTheGuardUp(t *testing.T) {
	f := newFake()
	n := run(t, "v26.06.6", f)
	a := n.Init("/rpc", map[string]any{"glrecover-allow-openings": []string{"everybody", keyA, "al"}})
	if strings.Contains(string(a.Result), "disable") {
		t.Fatalf("got %s", a.Result)
	}
	n.WaitLog("glrecover-allow-openings has values that are neither a node id nor \"all\" (2 of 3)")
	n.Call("glrecover-status", `{}`)
	if o := f.node.Options; o.AllowAllOpenings || len(o.AllowOpenings) != 1 || !strings.Contains(o.OpeningsTrouble, "are ignored") {
		t.Errorf("got %+v", o)
	}
	f.allow(func(context.Context, *channel.PubKey, string) error {
		return failure.New(failure.OpeningRefused, "", "no")
	})
	if a := n.Call("openchannel", `{"openchannel":{"id":"`+keyB+`"}}`); !strings.Contains(string(a.Result), `"reject"`) {
		t.Errorf("got %s", a.Result)
	}
}

func TestRecoverParameters(t *testing.T) {
	n, f := started(t)
	large := `{"x":"` + strings.Repeat("y", plugin.MaxInline) + `"}`
	const params, tooLarge = "invalid_parameter: ", "backup_too_large: "
	for _, c := range []struct{ give, want string }{
		{`{"backup":"/a/b.json"}`, `recover "/a/b.json"  false false map[] "" "" false []`},
		{`["/a/b.json",true,true]`, `recover "/a/b.json"  true true map[] "" "" false []`},
		{`{"backup":"b.json","decommissioned":true}`, `recover "b.json"  true false map[] "" "" false []`},
		{
			`{"backup":{"version":1},"addresses":{"` + keyA + `":"host:9735"},"destination":"bcrt1","feerate":253,"skip_incomplete":true,"override":"hosted_node_alive"}`,
			`recover "" {"version":1} false false map[` + keyA + `:host:9735] "bcrt1" "253" true ["hosted_node_alive"]`,
		},
		{`{"backup":"x","feerate":"urgent","override":["a","b"]}`, `recover "x"  false false map[] "" "urgent" false ["a" "b"]`},
		{`{"backup":"x","addresses":"tcp://` + keyA + `@host:9735, "}`, `recover "x"  false false map[` + keyA + `:host:9735] "" "" false []`},
		{
			`{"peers":["` + keyA + `@host"],"since":"2024-06-30","decommissioned":true}`,
			`recover ""  true false map[] "" "" false [] peers map[` + keyA + `:host:9735] since 2024-06-30`,
		},
		{`{"backup":"x","addresses":["` + keyA + `@host"]}`, `recover "x"  false false map[` + keyA + `:host:9735] "" "" false []`},
		{"{\"backup\":{\"v\":18446744073709551615,\n\n\"k\":{}}}", "recover \"\" {\"v\":18446744073709551615,\n\n\"k\":{}} false false map[] \"\" \"\" false []"},
		{`{"backup":"x","extra":true}`, `recover "x"  false false map[] "" "" false [] extra`},
		{`{"backup":"x","max_fee_percent":0}`, `recover "x"  false false map[] "" "" false [] max_fee_percent 0`},
		{`{"backup":"x","max_fee_percent":"100"}`, `recover "x"  false false map[] "" "" false [] max_fee_percent 100`},
		{`{"backup":"{\"version\":1}"}`, `recover "" {"version":1} false false map[] "" "" false []`},

		{`{}`, params + `parameter "backup" is missing. Give the signer backup; or, if there is none, peers=`},
		{`[]`, params + `parameter "backup" is missing`},
		{`{"peers":[]}`, params + `parameter "peers": the list has no address`},
		{`{"peers":"` + keyA + `"}`, params + `parameter "peers": a peer and its address are written NODE_ID@HOST:PORT`},
		{`{"peers":"` + keyA + `@h","since":"yesterday"}`, params + `parameter "since" is not a date. Write since=2024-06-30`},
		{`{"backup":"/a","` + typo + `":true}`, params + `unknown parameter "` + typo + `". Did you mean "decommissioned"?`},
		{`{"backup":"/a","dry_run":null}`, params + `parameter "dry_run" is null`},
		{`["/a",true,null]`, params + `parameter "dry_run" is null`},
		{`{"backup":null}`, params + `parameter "backup" is null`},
		{`{"backup":""}`, params + `parameter "backup" is not a string`},
		{`{"backup":7}`, params + `parameter "backup" is neither a path nor a JSON object`},
		{`{"backup":[1]}`, params + `parameter "backup" is neither`},
		{`{"backup":true}`, params + `parameter "backup" is neither`},
		{`{"backup":"/a","dry_run":"true"}`, params + `parameter "dry_run" is not true or false. Write dry_run=true`},
		{`{"backup":"/a","decommissioned":"yes"}`, params + `parameter "decommissioned" is not true or false`},
		{`{"backup":"/a","decommissioned":1}`, params + `parameter "decommissioned" is not true or false`},
		{`{"backup":"/a","skip_incomplete":0}`, params + `parameter "skip_incomplete"`},
		{`{"backup":"/a","dry_run":true,"dry_run":false}`, params + `parameter "dry_run" is given twice`},
		{`{"backup":"/a","addresses":{"abc":"h:1"}}`, params + `parameter "addresses" has a key that is not a node id`},
		{`{"backup":"/a","addresses":{"` + keyA + `":"h:1","` + strings.ToUpper(keyA) + `":"g:1"}}`, params + `parameter "addresses" names a node twice`},
		{`{"backup":"/a","addresses":{"` + keyA + `":1}}`, params + `parameter "addresses" is not an object of strings`},
		{`{"backup":"/a","addresses":"h:1"}`, params + `parameter "addresses": a peer and its address are written NODE_ID@HOST:PORT`},
		{`{"backup":"/a","addresses":1}`, params + `parameter "addresses" is not an object of strings`},
		{`{"backup":"/a","addresses":["` + keyA + `@0.0.0.0:9735"]}`, params + `parameter "addresses": not an address of a Lightning node: 0.0.0.0 and`},
		{`{"backup":"/a","destination":5}`, params + `parameter "destination" is not a string`},
		{`{"backup":"/a","feerate":-1}`, params + `parameter "feerate" is not a string`},
		{`{"backup":"/a","override":[1]}`, params + `parameter "override" is not a string`},
		{`["/a",true,true,{},"d","f",true,[],10,true,1,"` + keyA + `@h","2024-06-30","more"]`, params + `14 parameters given, at most 13 expected`},
		{`{"backup":"/a","extra":1}`, params + `parameter "extra"`},
		{`{"backup":"/a","max_fee_percent":101}`, params + `parameter "max_fee_percent" is not a whole number in this range. Write a whole number from 0 to 100`},
		{`{"backup":"/a","max_fee_percent":-1}`, params + `parameter "max_fee_percent" is not a whole number in this range`},
		{`{"backup":"/a","max_fee_percent":2.5}`, params + `parameter "max_fee_percent" is not a whole number in this range`},
		{`{"backup":"/a","max_fee_percent":""}`, params + `parameter "max_fee_percent" is not a whole number in this range`},
		{`{"backup":"/a","max_fee_percent":true}`, params + `parameter "max_fee_percent" is not a whole number in this range`},
		{`{"backup":"/a","max_fee_percent":18446744073709551616}`, params + `parameter "max_fee_percent" is not a whole number in this range`},
		{`{"backup":"/a","max_fee_percent":null}`, params + `parameter "max_fee_percent" is null`},
		{`{"backup":"/a","wait":"soon"}`, params + `parameter "wait" is not a number of seconds`},
		{`{"backup":"/a","wait":604801}`, params + `parameter "wait" is not a number of seconds from 0 to 604800. Write wait=SECONDS`},
		{`{"backup":` + large + `}`, tooLarge + `the backup is larger than the 4 MiB that may be given as JSON. Give the absolute path of the file instead.`},
	} {
		f.mu.Lock()
		f.asked = nil
		f.mu.Unlock()
		a := n.Call("glrecover", c.give)
		if strings.HasPrefix(c.want, "recover ") {
			if got := f.last(); a.Error != nil || got != c.want {
				t.Errorf("%.80s: got %s, %+v", c.give, got, a.Error)
			}
			continue
		}
		if a.Error == nil || !strings.HasPrefix(a.Error.Message, c.want) || f.last() != "" {
			t.Errorf("%.80s: got %+v, service %q", c.give, a.Error, f.last())
		} else if code := failure.Name(strings.Split(a.Error.Message, ":")[0]).Code(); a.Error.Code != code {
			t.Errorf("%.80s: code %d", c.give, a.Error.Code)
		}
		if a := n.Call("check", strings.Replace(strings.Replace(c.give, "{", `{"command_to_check":"glrecover",`, 1), ",}", "}", 1)); strings.HasPrefix(c.give, "{") && a.Error == nil {
			t.Errorf("check of %.80s passes", c.give)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	n, f := started(t)
	for _, c := range []struct{ method, params, want string }{
		{"glrecover-inspect", `["/b"]`, `inspect "/b" `},
		{"glrecover-inspect", `{"backup":{}}`, `inspect "" {}`},
		{"glrecover-inspect", `{"backup":"/b","dry_run":true}`, ""},
		{"glrecover-find", `["/b"]`, `find "/b" 500`},
		{"glrecover-find", `{"backup":"/b","states":3}`, `find "/b" 3`},
		{"glrecover-find", `{"backup":"/b","states":1000001}`, ""},
		{"glrecover-find", `{}`, ""},
		{"glrecover-status", `{}`, `status ""`},
		{"glrecover-status", `["103x1x0"]`, `status "103x1x0"`},
		{"glrecover-status", `{"chanel":"x"}`, ""},
		{"glrecover-retry", `{"channel":"x"}`, `retry "x" []`},
		{"glrecover-retry", `{"channel":"x","override":"ask_first"}`, `retry "x" ["ask_first"]`},
		{"glrecover-retry", `{"channel":"x","override":1}`, ""},
		{"glrecover-retry", `{"channel":1}`, ""},
		{"glrecover-report", `{}`, "report"},
		{"glrecover-report", `{"x":1}`, ""},
		{"glrecover-forget", `[""]`, ""},
	} {
		a := n.Call(c.method, c.params)
		if c.want == "" {
			if a.Error == nil || a.Error.Code != failure.CodeParams {
				t.Errorf("%s %s: got %+v", c.method, c.params, a)
			}
		} else if got := f.last(); a.Error != nil || got != c.want {
			t.Errorf("%s %s: got %s %+v", c.method, c.params, got, a.Error)
		}
	}
	if a := n.Call("glrecover-status", `{}`); string(a.Result) != `{"state":"credited"}` {
		t.Errorf("format hint: %s", a.Result)
	}
	if a := n.Call("glrecover-forget", `{}`); a.Error == nil || a.Error.Code != failure.Unclaimed.Code() {
		t.Errorf("forget: %+v", a)
	}
}

func TestServicesErrorProgressAndPanicReachTheCaller(t *testing.T) {
	n, f := started(t)
	f.recover = func(p api.RecoverParams, progress api.Progress) (any, error) {
		progress.Message("reading")
		progress.Step(1, 2)
		switch {
		case p.DryRun:
			panic(p)
		case !p.Decommissioned:
			return nil, failure.New(failure.NotDecommissioned, "Say so", "the flag is not set").With(map[string]int{"channels": 3})
		}
		return map[string]int{"imported": 2}, nil
	}
	a := n.Call("glrecover", `{"backup":"/secret/path"}`)
	if a.Error == nil || a.Error.Code != 3100 || a.Error.Message != "not_decommissioned: the flag is not set. Say so." || string(a.Error.Data) != `{"channels":3}` {
		t.Errorf("got %+v", a.Error)
	}
	if fmt.Sprint(a.Notes) != "[{message reading info 0 0} {progress   0 2}]" {
		t.Errorf("notes %v", a.Notes)
	}
	a = n.Call("glrecover", `{"backup":"/secret/path","dry_run":true}`)
	if a.Error == nil || a.Error.Code != failure.CodeInternal {
		t.Errorf("panic: %+v", a)
	}
	n.WaitLog("panic in glrecover")
	for _, l := range n.Logs() {
		if strings.Contains(l.Message, "secret") {
			t.Errorf("a parameter is in the log: %q", l.Message)
		}
	}
	if a := n.Call("glrecover", `{"backup":"/b","decommissioned":true}`); string(a.Result) != `{"imported":2}` {
		t.Errorf("after the panic: %+v", a)
	}
}

func TestCommandsWaitForTheStart(t *testing.T) {
	f := newFake()
	release := make(chan struct{})
	f.start = func(int) error { <-release; return nil }
	n := run(t, "v26.06.6", f)
	n.Init("/rpc", nil)
	id := n.Begin("glrecover-status", `{}`)
	if a := n.Call("glrecover-status", `[1]`); a.Error == nil {
		t.Error("wrong parameters were not refused at once")
	}
	if len(n.Answers()[id]) != 0 {
		t.Error("answered before the start")
	}
	close(release)
	if a := n.Wait(id); a.Error != nil {
		t.Errorf("got %+v", a.Error)
	}
}

func TestStartIsTriedAgainAfterAnErrorAndAPanic(t *testing.T) {
	f := newFake()
	f.start = func(attempt int) error {
		if attempt == 1 {
			return errors.New("lightningd is busy")
		}
		return nil
	}
	n := run(t, "v26.06.6", f)
	n.Init("/rpc", nil)
	if a := n.Call("glrecover-status", `{}`); a.Error != nil {
		t.Errorf("got %+v", a.Error)
	}
	if l := n.WaitLog("lightningd is busy"); l.Level != "warn" {
		t.Errorf("level %s", l.Level)
	}
}

func TestLogLevelsAndFields(t *testing.T) {
	n, _ := started(t)
	for text, level := range map[string]string{"made a=1 b=2": "info", "warned": "warn", "failed": "error", "said": "debug"} {
		if l := n.WaitLog(text); l.Level != level || l.Message != text {
			t.Errorf("got %+v, want %s", l, level)
		}
	}
}

func TestEventsReachTheServiceInOrder(t *testing.T) {
	n, f := started(t)
	n.Notify("block_added", map[string]any{"hash": "x", "height": 7})
	n.Notify("connect", map[string]any{"id": keyA, "direction": "in"})
	n.Send(`{"jsonrpc":"2.0","method":"connect","params":{"id":"` + keyB + `"}}` + "\n\n") // not wrapped
	n.Notify("channel_state_changed", map[string]any{
		"peer_id": keyA, "channel_id": strings.Repeat("ab", 32), "old_state": "unknown", "new_state": "ONCHAIN", "cause": "remote", "message": "m",
	})
	n.Notify("channel_opened", map[string]any{"id": keyA, "funding_msat": uint64(1<<63 + 1), "funding_txid": "t", "channel_ready": true})
	n.Notify("block_added", "nonsense")
	n.Notify("channel_opened", map[string]any{"id": 7})
	n.Notify("block_added", map[string]any{"height": 8})
	want := []string{
		"block", "connected " + keyA, "connected " + keyB, "state", "opened " + keyA + " t", "block",
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.events) < len(want) {
		f.seen.Wait()
	}
	for i, w := range want {
		if f.events[i] != w {
			t.Errorf("event %d is %q, want %q", i, f.events[i], w)
		}
	}
}

const proceed = `{"result":"continue"}`

func TestGuardAsksForEachPeerOfAnOpening(t *testing.T) {
	n, f := started(t)
	for _, c := range []struct{ hook, payload, openings string }{
		{"openchannel", `{"openchannel":{"id":"` + keyA + `","funding_msat":null}}`, "[openchannel " + keyA + "]"},
		{"openchannel2", `{"openchannel2":{"id":"` + keyB + `"}}`, "[openchannel2 " + keyB + "]"},
		{"openchannel2", `{"openchannel2":{"id":7}}`, "[openchannel2 nobody]"},
		{"openchannel", `null`, "[openchannel nobody]"},
		{"rpc_command", command("fundchannel", `{"id":"`+keyA+`","amount":"all"}`), "[fundchannel " + keyA + "]"},
		{"rpc_command", command("fundchannel", `["`+keyA+`@host:9735",100000]`), "[fundchannel " + keyA + "]"},
		{"rpc_command", command("fundchannel", `["nonsense",100000]`), "[fundchannel nobody]"},
		{"rpc_command", command("fundchannel", `{"amount":1}`), "[fundchannel nobody]"},
		{"rpc_command", command("fundchannel", `{"id":"`+keyA+`","id":"`+keyB+`"}`), "[fundchannel " + keyA + " fundchannel " + keyB + "]"},
		{"rpc_command", command("multifundchannel", `{"destinations":[{"id":"`+keyA+`@h:1","amount":1},{"amount":2,"id":"`+keyB+`"}]}`), "[multifundchannel " + keyA + " multifundchannel " + keyB + "]"},
		{"rpc_command", command("multifundchannel", `[[{"id":"`+keyA+`"}],"slow"]`), "[multifundchannel " + keyA + "]"},
		{"rpc_command", command("multifundchannel", `["x"]`), "[multifundchannel nobody]"},
		{"rpc_command", command("multifundchannel", `[["x"]]`), "[multifundchannel nobody]"},
		{"rpc_command", command("multifundchannel", `[]`), "[multifundchannel nobody]"},
		{"rpc_command", command("fundchannel_start", `["`+keyA+`",1]`), "[fundchannel_start " + keyA + "]"},
		{"rpc_command", command("fundchannel_complete", `["`+keyA+`","p"]`), "[fundchannel_complete " + keyA + "]"},
		{"rpc_command", command("openchannel_init", `{"id":"`+keyA+`"}`), "[openchannel_init " + keyA + "]"},
		{"rpc_command", command("openchannel_update", `{"channel_id":"00"}`), "[openchannel_update nobody]"},
		{"rpc_command", command("openchannel_signed", `["00","p"]`), "[openchannel_signed nobody]"},
		{"rpc_command", command("openchannel_bump", `["00",1,"p"]`), "[openchannel_bump nobody]"},
		// Releases without filters ask for everything.
		{"rpc_command", command("getinfo", `{}`), "[]"},
		{"rpc_command", command("recoverchannel", `{"scb":[]}`), "[]"},
		{"rpc_command", command("splice_init", `{"channel_id":"00"}`), "[]"},
		{"rpc_command", `{"rpc_command":7}`, "[]"},
	} {
		a := n.Call(c.hook, c.payload)
		if string(a.Result) != proceed {
			t.Errorf("%s %s: got %s %+v", c.hook, c.payload, a.Result, a.Error)
		}
		if got := fmt.Sprint(f.openings()); got != c.openings {
			t.Errorf("%s %s: asked %s, want %s", c.hook, c.payload, got, c.openings)
		}
	}
}

func command(method, params string) string {
	return `{"rpc_command":{"jsonrpc":"2.0","id":"cli:x#1","method":"` + method + `","params":` + params + `}}`
}

func TestGuardRefusesWithTheReasonAndTellsThePeerNothing(t *testing.T) {
	n, f := started(t)
	const quiet = `{"result":"reject","error_message":"opening_refused: this node accepts no new channels at present"}`
	block := make(chan struct{})
	defer close(block)
	for name, allowed := range map[string]func(context.Context, *channel.PubKey, string) error{
		"opening_refused: restart lightningd first": func(context.Context, *channel.PubKey, string) error {
			return failure.New(failure.OpeningRefused, "", "restart lightningd first")
		},
		"opening_refused: database gone":                    func(context.Context, *channel.PubKey, string) error { return errors.New("database gone") },
		"opening_refused: internal_error: guard stopped":    func(context.Context, *channel.PubKey, string) error { panic("x") },
		"opening_refused: glrecover could not tell in time": func(context.Context, *channel.PubKey, string) error { <-block; return nil },
	} {
		f.allow(allowed)
		begin := time.Now()
		one := n.Begin("openchannel", `{"openchannel":{"id":"`+keyA+`"}}`)
		two := n.Begin("openchannel2", `{"openchannel2":{"id":"`+keyA+`"}}`)
		out := n.Begin("rpc_command", command("fundchannel", `["`+keyA+`",1]`))
		for _, id := range []string{one, two} {
			if a := n.Wait(id); string(a.Result) != quiet {
				t.Errorf("%s %s: got %s %+v", name, id, a.Result, a.Error)
			}
		}
		a := n.Wait(out)
		var answer struct {
			Return struct {
				Error struct {
					Code    int
					Message string
				}
			}
		}
		if err := json.Unmarshal(a.Result, &answer); err != nil || answer.Return.Error.Code != failure.OpeningRefused.Code() ||
			!strings.HasPrefix(answer.Return.Error.Message, name) {
			t.Errorf("%s: got %s %+v", name, a.Result, a.Error)
		}
		n.WaitLog("refused the opening of a channel with " + keyA + " (openchannel2)")
		if took := time.Since(begin); took > 2*plugin.GuardTimeout {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestGuardAllowsBeforeInitAndAsksBeforeTheStart(t *testing.T) {
	f := newFake()
	release := make(chan struct{})
	defer close(release)
	f.start = func(int) error { <-release; return nil }
	n := run(t, "v26.06.6", f)
	open := command("fundchannel", `["`+keyA+`",1]`)
	if a := n.Call("rpc_command", open); string(a.Result) != proceed || len(f.openings()) != 0 {
		t.Errorf("before init: %s", a.Result)
	}
	n.Init("/rpc", nil)
	if a := n.Call("rpc_command", open); string(a.Result) != proceed || len(f.openings()) != 1 {
		t.Errorf("before the start: %s", a.Result)
	}
}

func TestUnreadableHookPayloadIsRefusedNotAnError(t *testing.T) {
	n, _ := started(t)
	for _, hook := range []string{"openchannel", "openchannel2", "rpc_command"} {
		if a := n.Call(hook, `{"x":01}`); a.Error != nil || string(a.Result) == proceed {
			t.Errorf("%s: got %s %+v", hook, a.Result, a.Error)
		}
	}
}

func TestPluginEndsWithLightningdWhileACommandRuns(t *testing.T) {
	n, f := started(t)
	running := make(chan struct{})
	f.recover = func(api.RecoverParams, api.Progress) (any, error) {
		close(running)
		return nil, nil
	}
	n.Begin("glrecover", `["/b"]`)
	<-running
	if code := n.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestEveryMethodHasAManPage(t *testing.T) {
	names := plugin.ManPages()
	if fmt.Sprint(names) != "[glrecover glrecover-find glrecover-forget glrecover-inspect glrecover-report glrecover-retry glrecover-status glrecover-sweep]" {
		t.Errorf("got %v", names)
	}
	for _, name := range names {
		page := plugin.ManPage(name)
		if !strings.HasPrefix(page, `.TH "LIGHTNING\-GLRECOVER`) && !strings.HasPrefix(page, `.TH "LIGHTNING-GLRECOVER`) ||
			!strings.Contains(page, ".SH NAME\nlightning-") || !strings.Contains(page, ".SH SYNOPSIS\n") || !strings.Contains(page, ".SH PARAMETERS\n") {
			t.Errorf("%s: %s", name, page)
		}
	}
	if page := plugin.ManPage("glrecover"); !strings.Contains(page, "[dry_run]") || !strings.Contains(page, "never for migration") {
		t.Error("the page of glrecover lacks its parameters or its warning")
	}
	if plugin.ManPage("nosuch") != "" {
		t.Error("a page for an unknown method")
	}
}

// With wait, a node that is behind the chain is waited for; another refusal is
// said at once.
func TestANodeThatSyncsMayBeWaitedFor(t *testing.T) {
	n, f := started(t)
	calls := 0
	f.recover = func(p api.RecoverParams, _ api.Progress) (any, error) {
		if calls++; calls == 1 {
			return nil, failure.New(failure.NodeSyncing, "", "behind")
		}
		return "done", nil
	}
	if a := n.Call("glrecover", `{"backup":"/a"}`); !strings.Contains(fmt.Sprint(a.Error), "node_syncing") {
		t.Errorf("without wait: %+v", a)
	}
	calls = 0
	if a := n.Call("glrecover", `{"backup":"/a","wait":1}`); string(a.Result) != `"done"` || calls != 2 {
		t.Errorf("with wait: %+v after %d calls", a, calls)
	}
	f.recover = func(api.RecoverParams, api.Progress) (any, error) {
		calls++
		return nil, failure.New(failure.WrongNode, "", "another")
	}
	calls = 0
	if a := n.Call("glrecover", `{"backup":"/a","wait":"600"}`); !strings.Contains(fmt.Sprint(a.Error), "wrong_node") || calls != 1 {
		t.Errorf("another refusal: %+v after %d calls", a, calls)
	}
}
