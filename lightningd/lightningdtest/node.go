package lightningdtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a plugin may take for anything.
const patience = 20 * time.Second

// Run is a plugin's main function on lightningd's stream.
type Run func(ctx context.Context, in io.Reader, out io.Writer) int

// Node drives one running plugin.
type Node struct {
	t    testing.TB
	in   *io.PipeWriter
	exit chan int

	mu      sync.Mutex
	changed *sync.Cond
	lastID  int
	answers map[string][]Answer
	notes   map[string][]Note
	logs    []LogLine
	ended   bool
}

// Answer is the plugin's answer to a request.
type Answer struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
	// Notes are the notifications that came for this request before.
	Notes []Note `json:"-"`
}

// Error is a JSON-RPC error.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// Note is one progress or message notification.
type Note struct {
	Method  string
	Message string `json:"message"`
	Level   string `json:"level"`
	Num     uint32 `json:"num"`
	Total   uint32 `json:"total"`
}

// LogLine is one line that the plugin sent to lightningd's log.
type LogLine struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// Start runs a plugin until the test ends.
func Start(t testing.TB, run Run) *Node {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	n := &Node{
		t: t, in: inW, exit: make(chan int, 1),
		answers: make(map[string][]Answer), notes: make(map[string][]Note),
	}
	n.changed = sync.NewCond(&n.mu)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		code := run(ctx, inR, outW)
		inR.Close()
		outW.Close()
		n.exit <- code
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		n.read(outR)
	}()
	t.Cleanup(func() {
		inW.Close()
		cancel()
		<-read
	})
	return n
}

// Stop closes the plugin's stdin, as lightningd's end does, and returns its
// exit code.
func (n *Node) Stop() int {
	n.t.Helper()
	n.in.Close()
	return n.WaitExit()
}

// WaitExit waits for the plugin to end by itself.
func (n *Node) WaitExit() int {
	n.t.Helper()
	select {
	case code := <-n.exit:
		return code
	case <-time.After(patience):
		n.t.Fatal("the plugin does not end")
		return 0
	}
}

// Send writes raw bytes to the plugin.
func (n *Node) Send(raw string) {
	n.t.Helper()
	if _, err := io.WriteString(n.in, raw); err != nil {
		n.t.Fatalf("the plugin reads no more: %v", err)
	}
}

// Call sends a request (params is a value or raw JSON) and waits for its
// answer.
func (n *Node) Call(method string, params any) Answer {
	n.t.Helper()
	return n.Wait(n.Begin(method, params))
}

// Begin sends a request and returns its id.
func (n *Node) Begin(method string, params any) string {
	n.t.Helper()
	raw, ok := params.(string)
	if !ok {
		b, err := json.Marshal(params)
		if err != nil {
			n.t.Fatal(err)
		}
		raw = string(b)
	}
	n.mu.Lock()
	n.lastID++
	id := fmt.Sprintf("%q", fmt.Sprintf("cli:%s#%d/cln:%s#%d", method, n.lastID, method, n.lastID))
	n.mu.Unlock()
	n.Send(fmt.Sprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":%q,\"params\":%s}\n\n", id, method, raw))
	return id
}

// Wait waits for the answer to a request. The id is raw JSON.
func (n *Node) Wait(id string) Answer {
	n.t.Helper()
	var out Answer
	n.await("answer to "+id, func() bool {
		list := n.answers[id]
		if len(list) == 0 {
			return false
		}
		out = list[0]
		return true
	})
	return out
}

// Answers returns all answers so far by id: a plugin must give exactly one.
func (n *Node) Answers() map[string][]Answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string][]Answer)
	for id, list := range n.answers {
		out[id] = append([]Answer(nil), list...)
	}
	return out
}

// Notify sends a notification.
func (n *Node) Notify(topic string, payload any) {
	n.t.Helper()
	raw, err := json.Marshal(map[string]any{topic: payload})
	if err != nil {
		n.t.Fatal(err)
	}
	n.Send(fmt.Sprintf("{\"jsonrpc\":\"2.0\",\"method\":%q,\"params\":%s}\n\n", topic, raw))
}

// Init asks for the manifest and sends init with these options for a node whose
// RPC socket is at an absolute path.
func (n *Node) Init(socket string, options map[string]any) Answer {
	n.t.Helper()
	if options == nil {
		options = map[string]any{}
	}
	n.Call("getmanifest", map[string]any{"allow-deprecated-apis": false})
	return n.Call("init", map[string]any{
		"options": options,
		"configuration": map[string]any{
			"lightning-dir": "/nonexistent/regtest", "rpc-file": socket, "startup": true, "network": "regtest",
			"feature_set": map[string]string{"init": "02", "node": "80", "channel": "", "invoice": "02"},
		},
	})
}

// Logs returns the log so far.
func (n *Node) Logs() []LogLine {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]LogLine(nil), n.logs...)
}

// WaitLog waits for a log line that contains text and returns it.
func (n *Node) WaitLog(text string) LogLine {
	n.t.Helper()
	var out LogLine
	n.await(fmt.Sprintf("log line with %q", text), func() bool {
		for _, l := range n.logs {
			if strings.Contains(l.Message, text) {
				out = l
				return true
			}
		}
		return false
	})
	return out
}

// await waits until there is what; the predicate runs under the lock.
func (n *Node) await(what string, there func() bool) {
	n.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		n.mu.Lock()
		late = true
		n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer timer.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for !there() {
		if late || n.ended {
			n.t.Fatalf("no %s (plugin ended: %v)\nlog: %q", what, n.ended, n.logs)
		}
		n.changed.Wait()
	}
}

func (n *Node) read(out io.Reader) {
	dec := json.NewDecoder(out)
	for {
		var m struct {
			Answer
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		err := dec.Decode(&m)
		n.mu.Lock()
		switch {
		case err != nil:
			n.ended = true
		case m.Method == "log":
			var l LogLine
			if json.Unmarshal(m.Params, &l) == nil {
				n.logs = append(n.logs, l)
			}
		case m.Method != "":
			var p struct {
				ID json.RawMessage `json:"id"`
				Note
			}
			if json.Unmarshal(m.Params, &p) == nil {
				p.Method = m.Method
				// lightning-cli crashes on anything else (handle_notify in
				// cli/lightning-cli.c of CLN v26.06.6).
				if p.Method == "progress" && (p.Total < 2 || p.Num >= p.Total) {
					n.t.Errorf("progress %d of %d would crash lightning-cli", p.Num, p.Total)
				}
				n.notes[string(p.ID)] = append(n.notes[string(p.ID)], p.Note)
			}
		default:
			id := string(m.ID)
			m.Notes = n.notes[id]
			n.answers[id] = append(n.answers[id], m.Answer)
		}
		n.mu.Unlock()
		n.changed.Broadcast()
		if err != nil {
			return
		}
	}
}
