package lightningd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/glrecover/glrecover/lightningd"
	"github.com/sirupsen/logrus"
)

// FuzzShim feeds arbitrary bytes: Serve must end, without a panic, and each
// request with a usable id must have exactly one answer that carries it.
func FuzzShim(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":"a","method":"echo","params":{"a":1}}` + "\n\n",
		`{"id":1,"method":"echo","params":[18446744073709551615]}{"id":2,"method":"hook","params":{}}`,
		`{"id":-0.5e1,"method":"echo","params":` + "{\"a\":\n\n\"\\\"}\"}}",
		`{"id":null,"method":"echo"} {"method":"topic","params":{"x":null}}`,
		`{"id":"a","method":"init","params":{"options":{},"configuration":{"lightning-dir":"/","rpc-file":"r","network":"n"}}}`,
		`{"id":"a","method":"check","params":["echo",1]}{"id":"b","method":"getmanifest","params":null}`,
		`{"id":"a","id":"b","method":"echo","method":"x","params":1,"params":{}}`,
		`{"method":"shutdown","params":{}}{"id":1,"method":"echo"}`,
		`{"id":1,"method":"echo","params":{"a":}}`,
		`{"id":1}}`, `[`, `{"id":{"x":1},"method":7}`, "{\"\\u0069d\":1}",
	} {
		f.Add([]byte(seed))
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	f.Fuzz(func(t *testing.T, stream []byte) {
		var out bytes.Buffer
		output := lightningd.NewOutput(&out)
		p := &lightningd.Plugin{
			Log:     log,
			Options: []lightningd.Option{lightningd.StringOption("o", "o")},
			Methods: []lightningd.Method{{
				Name:  "echo",
				Check: func(json.RawMessage) error { return nil },
				Call: func(_ context.Context, r *lightningd.Request) (any, error) {
					r.Step(1, 2)
					return r.Params, nil
				},
			}},
			Hooks: []lightningd.Hook{{
				Name: "hook", Timeout: time.Second, Fallback: "no",
				Call: func(context.Context, json.RawMessage) any { return "yes" },
			}},
			Subscriptions: []lightningd.Subscription{{Topic: "topic", Handle: func(json.RawMessage) { panic("x") }}},
			Init:          func(lightningd.Init) string { return "" },
		}
		done := make(chan error, 1)
		go func() { done <- p.Serve(context.Background(), bytes.NewReader(stream), output) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("Serve does not end")
		}
		answers := make(map[string]int)
		dec := json.NewDecoder(&out)
		for {
			var m struct {
				ID     json.RawMessage `json:"id"`
				Method string          `json:"method"`
				Result json.RawMessage `json:"result"`
				Error  json.RawMessage `json:"error"`
			}
			err := dec.Decode(&m)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("the plugin wrote no JSON: %v", err)
			}
			if m.Method != "" {
				continue
			}
			if (m.Result == nil) == (m.Error == nil) {
				t.Fatalf("answer to %s has result %s and error %s", m.ID, m.Result, m.Error)
			}
			if string(m.ID) != "null" {
				answers[string(m.ID)]++
			}
		}
		if want := requestsIn(stream); !same(answers, want) {
			t.Fatalf("answers %v, want %v", answers, want)
		}
	})
}

// requestsIn counts the requests per id, up to where the stream ends for a
// plugin. It knows only streams that encoding/json reads and that use each name
// once; for others it says nil.
func requestsIn(stream []byte) map[string]int {
	want := make(map[string]int)
	dec := json.NewDecoder(bytes.NewReader(stream))
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err == io.EOF {
			return want
		} else if err != nil {
			return nil
		}
		members, list, err := lightningd.Split(raw)
		if err != nil || list {
			return nil
		}
		seen := make(map[string]json.RawMessage)
		for _, m := range members {
			if _, ok := seen[m.Name]; ok || bytes.ContainsRune(raw, '\\') {
				return nil
			}
			seen[m.Name] = m.Raw
		}
		id := seen["id"]
		if id == nil && string(seen["method"]) == `"shutdown"` {
			return nil
		}
		if id != nil && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9') {
			want[string(id)]++
		}
	}
}

func same(got, want map[string]int) bool {
	if want == nil {
		return true
	}
	if len(got) != len(want) {
		return false
	}
	for id, n := range want {
		if got[id] != n {
			return false
		}
	}
	return true
}
