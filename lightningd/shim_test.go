package lightningd_test

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

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/sirupsen/logrus"
)

// probe is a plugin whose method "echo" answers its raw parameters.
func probe(change func(p *lightningd.Plugin)) lightningdtest.Run {
	return func(ctx context.Context, in io.Reader, out io.Writer) int {
		output := lightningd.NewOutput(out)
		log := logrus.New()
		log.SetOutput(io.Discard)
		log.AddHook(toOutput{output})
		p := &lightningd.Plugin{
			Log: log,
			Methods: []lightningd.Method{{
				Name: "echo", Usage: "[a] [b]", Description: "echo",
				Check: func(raw json.RawMessage) error {
					_, err := lightningd.ParseParams(raw, []lightningd.Param{{Name: "a", Required: true}, {Name: "b"}})
					return err
				},
				Call: func(_ context.Context, r *lightningd.Request) (any, error) {
					return map[string]string{"raw": string(r.Params)}, nil
				},
			}},
			Init: func(lightningd.Init) string { return "" },
		}
		if change != nil {
			change(p)
		}
		if err := p.Serve(ctx, in, output); err != nil {
			output.Log(lightningd.LevelError, "serve: "+err.Error())
			return 1
		}
		return 0
	}
}

type toOutput struct{ out *lightningd.Output }

func (toOutput) Levels() []logrus.Level { return logrus.AllLevels }

func (h toOutput) Fire(e *logrus.Entry) error {
	h.out.Log(lightningd.LevelError, e.Message)
	return nil
}

func withCall(call func(ctx context.Context, r *lightningd.Request) (any, error)) func(*lightningd.Plugin) {
	return func(p *lightningd.Plugin) { p.Methods[0].Call = call }
}

func rawOf(t *testing.T, a lightningdtest.Answer) string {
	t.Helper()
	var out struct{ Raw string }
	if err := json.Unmarshal(a.Result, &out); err != nil || a.Error != nil {
		t.Fatalf("no echo: %+v %v", a.Error, err)
	}
	return out.Raw
}

func TestParametersArriveByteForByte(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	for name, params := range map[string]string{
		"largest version, not a float":        `{"a":[18446744073709551615,{}]}`,
		"keys keep their order":               `{"z":1,"a":2,"m":3}`,
		"double keys are kept for the parser": `{"a":1,"a":2}`,
		"blank line between members":          "{\"a\":1,\n\n\n\n\"b\":{\"c\":\n\n2}}",
		"blank line in a string, escaped":     `{"a":"one\n\ntwo"}`,
		"braces and quotes in a string":       `{"a":"}{][\"\\","b":1}`,
		"positional":                          `["x", null, true]`,
		"empty":                               `{}`,
		"unicode":                             `{"a":"ž\u017e<&>"}`,
	} {
		if got := rawOf(t, n.Call("echo", params)); got != params {
			t.Errorf("%s: got %q, want %q", name, got, params)
		}
	}
}

func TestFirstMemberOfANameCountsAsForLightningd(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	// lightningd checked method "echo" and put its own id in the first place;
	// the rest comes from the caller.
	n.Send(`{"jsonrpc":"2.0","method":"echo","id":"one","params":{"a":1},"method":"getmanifest","id":"two","params":{"a":2}}`)
	if got := rawOf(t, n.Wait(`"one"`)); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
	n.Call("echo", `{}`)
	if len(n.Answers()[`"two"`]) != 0 {
		t.Error("the second id got an answer")
	}
}

func TestIDAfterParametersAndAsNumber(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	n.Send("{ \" id\":1,\"id \":2,\"\\u0069d\":3, \"params\" : {\"a\":1} , \"jsonrpc\":\"2.0\",\n\n \"method\" :\"echo\",  \n\n\n" + strings.Repeat(" ", 100) + "\"id\"\t:\n-7 }")
	if got := rawOf(t, n.Wait("-7")); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

func TestRequestWithoutBlankLineBetweenMessages(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	n.Send(`{"id":1,"method":"echo","params":[1]}{"id":2,"method":"echo","params":[2]}`)
	if a, b := rawOf(t, n.Wait("1")), rawOf(t, n.Wait("2")); a != "[1]" || b != "[2]" {
		t.Errorf("got %s %s", a, b)
	}
}

func TestHundredMegabytesAreRefusedAndTheNextRequestWorks(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	go func() {
		// Errors show as a missing answer.
		n.Send(`{"jsonrpc":"2.0","method":"echo","params":{"backup":"`)
		chunk := strings.Repeat(`{[x\"`, 1<<18)
		for range 100 << 20 / len(chunk) {
			n.Send(chunk)
		}
		n.Send(`"},"id":"big"}` + "\n\n")
	}()
	a := n.Wait(`"big"`)
	if a.Error == nil || a.Error.Code != failure.BackupTooLarge.Code() || !strings.HasPrefix(a.Error.Message, "backup_too_large: ") {
		t.Fatalf("got %+v", a.Error)
	}
	if got := rawOf(t, n.Call("echo", `{"a":1}`)); got != `{"a":1}` {
		t.Errorf("next request: %s", got)
	}
}

func TestMalformedParametersAreNamedAndTheNextRequestWorks(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	for _, params := range []string{`{"a":01}`, `{"a"}`, "{\"a\":\"raw\nnewline\"}", `{"a":tru}`, `{"a":1]`, `nonsense`} {
		a := n.Call("echo", params)
		if a.Error == nil || a.Error.Code != failure.CodeParams || !strings.HasPrefix(a.Error.Message, "invalid_parameter: ") {
			t.Errorf("%q: got %+v", params, a)
		}
	}
	rawOf(t, n.Call("echo", `{}`))
}

func TestStreamThatIsNoJSONEndsWithAnError(t *testing.T) {
	for _, raw := range []string{"garbage", "[1]", `{"id":1,"method":"echo"`, `{"id":1}}`} {
		n := lightningdtest.Start(t, probe(nil))
		n.Send(raw)
		if code := n.Stop(); code != 1 {
			t.Errorf("%q: exit code %d", raw, code)
		}
	}
}

func TestEndOfStreamIsNoError(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	rawOf(t, n.Call("echo", `{}`))
	if code := n.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestShutdownNotificationEndsServeAlthoughStdinStaysOpen(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	n.Notify("shutdown", map[string]any{})
	if code := n.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestUnknownMethodIsAnError(t *testing.T) {
	n := lightningdtest.Start(t, probe(nil))
	if a := n.Call("nosuch", `{}`); a.Error == nil || a.Error.Code != -32601 {
		t.Errorf("got %+v", a)
	}
}

func TestErrorsKeepCodeMessageAndData(t *testing.T) {
	n := lightningdtest.Start(t, probe(withCall(func(_ context.Context, r *lightningd.Request) (any, error) {
		if string(r.Params) == `["plain"]` {
			return nil, errors.New("something else")
		}
		return nil, fmt.Errorf("while looking: %w", failure.New(failure.DBIDConflict, "Do this", "found that").
			With(map[string]any{"dbid": uint64(1<<64 - 1)}))
	})))
	a := n.Call("echo", `{}`)
	if a.Error == nil || a.Error.Code != 3113 || a.Error.Message != "dbid_conflict: found that. Do this." ||
		string(a.Error.Data) != `{"dbid":18446744073709551615}` {
		t.Errorf("got %+v", a.Error)
	}
	a = n.Call("echo", `["plain"]`)
	if a.Error == nil || a.Error.Code != failure.CodeInternal || a.Error.Message != "internal_error: something else" {
		t.Errorf("got %+v", a.Error)
	}
}

func TestResultIsNeverNull(t *testing.T) {
	n := lightningdtest.Start(t, probe(withCall(func(context.Context, *lightningd.Request) (any, error) { return nil, nil })))
	if a := n.Call("echo", `{}`); string(a.Result) != "{}" {
		t.Errorf("got %+v", a)
	}
}

func TestResultThatCannotBeEncodedIsAnError(t *testing.T) {
	n := lightningdtest.Start(t, probe(withCall(func(context.Context, *lightningd.Request) (any, error) { return make(chan int), nil })))
	if a := n.Call("echo", `{}`); a.Error == nil || a.Error.Code != failure.CodeInternal {
		t.Errorf("got %+v", a)
	}
}

func TestPanicIsAnsweredLoggedWithoutParametersAndTheNextCallWorks(t *testing.T) {
	n := lightningdtest.Start(t, probe(withCall(func(_ context.Context, r *lightningd.Request) (any, error) {
		switch string(r.Params) {
		case `["runtime"]`:
			_ = r.Params[len(r.Params)]
		case `["value"]`:
			panic("secret words of the caller")
		}
		return nil, nil
	})))
	for _, params := range []string{`["runtime"]`, `["value"]`} {
		a := n.Call("echo", params)
		if a.Error == nil || a.Error.Code != failure.CodeInternal || !strings.HasPrefix(a.Error.Message, "internal_error: echo stopped") {
			t.Errorf("%s: got %+v", params, a)
		}
	}
	if l := n.WaitLog("index out of range [11] with length 11"); !strings.Contains(l.Message, "shim_test.go") {
		t.Errorf("no stack in %q", l.Message)
	}
	n.WaitLog("panic in echo: a string")
	for _, l := range n.Logs() {
		if strings.Contains(l.Message, "secret words") {
			t.Errorf("the panic's value is in the log: %q", l.Message)
		}
	}
	if a := n.Call("echo", `[]`); a.Error != nil {
		t.Errorf("next call: %+v", a.Error)
	}
}

func TestProgressUsesTheCallersIDAndEndsWithTheAnswer(t *testing.T) {
	var kept *lightningd.Request
	n := lightningdtest.Start(t, probe(withCall(func(_ context.Context, r *lightningd.Request) (any, error) {
		r.Message("looking")
		r.Step(1, 3)
		r.Step(9, 3)
		r.Step(0, 2)
		// lightning-cli crashes on a total below 2.
		r.Step(0, 0)
		r.Step(1, 1)
		r.Step(2, 1)
		kept = r
		return nil, nil
	})))
	a := n.Call("echo", `{}`)
	kept.Message("too late")
	want := []lightningdtest.Note{
		{Method: "message", Level: "info", Message: "looking"},
		{Method: "progress", Num: 0, Total: 3},
		{Method: "progress", Num: 2, Total: 3},
		{Method: "progress", Num: 0, Total: 2},
	}
	if fmt.Sprint(a.Notes) != fmt.Sprint(want) {
		t.Errorf("got %+v", a.Notes)
	}
	b := n.Call("echo", `{}`)
	if len(b.Notes) != len(want) {
		t.Errorf("notes of the next call: %+v", b.Notes)
	}
}

func TestCheckValidatesAndCallsNothing(t *testing.T) {
	called := false
	n := lightningdtest.Start(t, probe(withCall(func(context.Context, *lightningd.Request) (any, error) {
		called = true
		return nil, nil
	})))
	for params, good := range map[string]bool{
		`["echo","x"]`:                            true,
		`["echo","x","y"]`:                        true,
		`{"command_to_check":"echo","a":1}`:       true,
		`{"a":1,"command_to_check":"echo"}`:       true,
		`["echo"]`:                                false,
		`["echo","x","y","z"]`:                    false,
		`{"command_to_check":"echo","c":1}`:       false,
		`{"command_to_check":"echo","a":1,"a":1}`: false,
		`{"command_to_check":"echo","a":null}`:    false,
		`{"command_to_check":"getmanifest"}`:      false,
		`{"command_to_check":7}`:                  false,
		`[]`:                                      false,
	} {
		a := n.Call("check", params)
		if good && (a.Error != nil || string(a.Result) != `{"command_to_check":"echo"}`) || !good && (a.Error == nil || a.Error.Code != failure.CodeParams) {
			t.Errorf("%s: got %s %+v", params, a.Result, a.Error)
		}
	}
	if called {
		t.Error("check called the method")
	}
}

func TestMethodsRunAtOnceUpToALimit(t *testing.T) {
	release := make(chan struct{})
	n := lightningdtest.Start(t, probe(withCall(func(context.Context, *lightningd.Request) (any, error) {
		<-release
		return nil, nil
	})))
	var ids []string
	for range 65 {
		ids = append(ids, n.Begin("echo", `{}`))
	}
	if a := n.Wait(ids[64]); a.Error == nil || a.Error.Code != failure.Busy.Code() {
		t.Errorf("the 65th: %+v", a)
	}
	close(release)
	for _, id := range ids[:64] {
		if a := n.Wait(id); a.Error != nil {
			t.Errorf("%s: %+v", id, a.Error)
		}
	}
	if a := n.Call("echo", `{}`); a.Error != nil {
		t.Errorf("afterwards: %+v", a.Error)
	}
}

func TestHookAlwaysHasAResult(t *testing.T) {
	type verdict struct {
		Result string `json:"result"`
	}
	stuck := make(chan struct{})
	defer close(stuck)
	n := lightningdtest.Start(t, probe(func(p *lightningd.Plugin) {
		p.Hooks = []lightningd.Hook{{
			Name: "openchannel", Before: []string{"other"}, Filters: []string{"f"},
			Timeout: 200 * time.Millisecond, Fallback: verdict{"reject"},
			Call: func(_ context.Context, payload json.RawMessage) any {
				switch string(payload) {
				case `{"panic":1}`:
					panic("x")
				case `{"hang":1}`:
					<-stuck
				}
				return verdict{"continue"}
			},
		}}
	}))
	for payload, want := range map[string]string{
		`{}`:          "continue",
		`{"panic":1}`: "reject",
		`{"hang":1}`:  "reject",
		`{"broken"}`:  "reject",
		`{"large":"` + strings.Repeat("x", lightningd.MaxMessage) + `"}`: "reject",
	} {
		a := n.Call("openchannel", payload)
		if string(a.Result) != `{"result":"`+want+`"}` {
			t.Errorf("%.20s: got %s %+v", payload, a.Result, a.Error)
		}
	}
}

func TestNotificationsKeepTheirOrderAndAPanicStopsNone(t *testing.T) {
	var mu sync.Mutex
	var got []string
	done := make(chan struct{})
	n := lightningdtest.Start(t, probe(func(p *lightningd.Plugin) {
		p.Subscriptions = []lightningd.Subscription{{Topic: "block_added", Handle: func(payload json.RawMessage) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, string(payload))
			if len(got) == 50 {
				panic("x")
			}
			if len(got) == 200 {
				close(done)
			}
		}}}
	}))
	for i := range 200 {
		n.Notify("block_added", i)
	}
	n.Notify("unasked", 1)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("not all arrived")
	}
	for i, raw := range got {
		if raw != fmt.Sprintf(`{"block_added":%d}`, i) {
			t.Fatalf("number %d is %s", i, raw)
		}
	}
	if a := n.Call("block_added", `{}`); a.Error == nil || a.Error.Code != -32601 {
		t.Errorf("a notification called as a method: %+v", a)
	}
	for id := range n.Answers() {
		if id == "null" {
			t.Error("a notification was answered")
		}
	}
}

func TestCallThatIgnoresItsContextDoesNotStopTheEnd(t *testing.T) {
	started := make(chan struct{})
	n := lightningdtest.Start(t, probe(withCall(func(ctx context.Context, _ *lightningd.Request) (any, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	})))
	id := n.Begin("echo", `{}`)
	<-started
	if code := n.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	n.Wait(id)
}

func TestManifestAndInit(t *testing.T) {
	var got lightningd.Init
	n := lightningdtest.Start(t, probe(func(p *lightningd.Plugin) {
		p.Options = []lightningd.Option{lightningd.StringOption("one", "d1"), lightningd.MultiOption("many", "d2")}
		p.Hooks = []lightningd.Hook{{Name: "rpc_command", Filters: []string{"fundchannel"}}}
		p.Subscriptions = []lightningd.Subscription{{Topic: "connect"}}
		p.Init = func(in lightningd.Init) string { got = in; return "" }
	}))
	a := n.Call("getmanifest", `{"allow-deprecated-apis":false,"more":null}`)
	want := `{"options":[{"name":"one","type":"string","description":"d1"},{"name":"many","type":"string","description":"d2","multi":true}],` +
		`"rpcmethods":[{"name":"echo","usage":"[a] [b]","description":"echo"}],"subscriptions":["shutdown","connect"],` +
		`"hooks":[{"name":"rpc_command","filters":["fundchannel"]}],"dynamic":true,"nonnumericids":true,"cancheck":true}`
	if string(a.Result) != want {
		t.Errorf("manifest: %s", a.Result)
	}
	a = n.Call("init", `{"options":{"one":"v","many":["a","b"],"foreign":null},"configuration":{"lightning-dir":"/l/regtest","rpc-file":"rpc",
		"startup":false,"network":"regtest","feature_set":{"init":null},"proxy":{"type":"ipv6","address":"::1","port":9050},"always_use_proxy":true}}`)
	if a.Error != nil || string(a.Result) != "{}" {
		t.Fatalf("init: %+v", a)
	}
	wantInit := lightningd.Init{
		LightningDir: "/l/regtest", RPCSocket: "/l/regtest/rpc", Network: "regtest",
		Proxy: "[::1]:9050", AlwaysUseProxy: true, Options: map[string][]string{"one": {"v"}, "many": {"a", "b"}},
	}
	if fmt.Sprint(got) != fmt.Sprint(wantInit) {
		t.Errorf("got %+v", got)
	}
	if a := n.Call("init", `{}`); a.Error == nil {
		t.Error("a second init was accepted")
	}
}

func TestInitThatCannotBeReadDisablesThePlugin(t *testing.T) {
	for _, params := range []string{
		`{}`, `[]`, `{"options":{},"configuration":null}`,
		`{"options":{"one":7},"configuration":{"lightning-dir":"/l","rpc-file":"r","network":"n"}}`,
		`{"options":{"many":"a"},"configuration":{"lightning-dir":"/l","rpc-file":"r","network":"n"}}`,
		`{"options":{"many":[1]},"configuration":{"lightning-dir":"/l","rpc-file":"r","network":"n"}}`,
	} {
		n := lightningdtest.Start(t, probe(func(p *lightningd.Plugin) {
			p.Options = []lightningd.Option{lightningd.StringOption("one", "d1"), lightningd.MultiOption("many", "d2")}
			p.Init = func(lightningd.Init) string { t.Errorf("Init called for %s", params); return "" }
		}))
		a := n.Call("init", params)
		if a.Error != nil || !strings.Contains(string(a.Result), `"disable":"lightningd's init`) {
			t.Errorf("%s: got %s %+v", params, a.Result, a.Error)
		}
	}
}

func TestReasonOfInitIsLoggedForLightningdHidesIt(t *testing.T) {
	n := lightningdtest.Start(t, probe(func(p *lightningd.Plugin) {
		p.Init = func(lightningd.Init) string { return "too old" }
	}))
	if a := n.Init("/rpc", nil); string(a.Result) != `{"disable":"too old"}` {
		t.Errorf("got %s", a.Result)
	}
	n.WaitLog("disabled: too old")
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenStdoutEndsServe(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	in, w := io.Pipe()
	defer w.Close()
	out := lightningd.NewOutput(brokenPipe{})
	out.Log(lightningd.LevelInfo, "x")
	p := &lightningd.Plugin{Log: log}
	if err := p.Serve(context.Background(), in, out); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
