package lightningd

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// Level is a log level as lightningd spells it (common/status_levels.c).
type Level string

// The levels that a plugin may use. Warn and Error also become warning
// notifications.
const (
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

// Output is the way to lightningd: the plugin's stdout. Each message is one
// write, so messages of several goroutines never mix. After a write failed,
// lightningd is gone, and everything is dropped.
type Output struct {
	mu     sync.Mutex
	w      io.Writer
	failed chan struct{}
	err    error
}

// NewOutput returns an Output that writes to w. Nothing else may write to w.
func NewOutput(w io.Writer) *Output {
	return &Output{w: w, failed: make(chan struct{})}
}

// Log sends one log line (or several, separated by newlines) to lightningd's
// log.
func (o *Output) Log(level Level, text string) {
	o.send(notification("log", logParams{Level: level, Message: text}))
}

type logParams struct {
	Level   Level  `json:"level"`
	Message string `json:"message"`
}

// envelope is any JSON-RPC message that we send.
type envelope struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcFailure     `json:"error,omitempty"`
}

type rpcFailure struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func notification(method string, params any) envelope {
	return envelope{Version: "2.0", Method: method, Params: params}
}

// send writes one message. Everything in an envelope is made by this package
// or checked before, so it can always be encoded.
func (o *Output) send(e envelope) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return
	}
	b.WriteByte('\n') // a blank line ends each message (CLN, plugin docs)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	if _, err := o.w.Write(b.Bytes()); err != nil {
		o.err = err
		close(o.failed)
	}
}

// Err returns the error of the first write that failed.
func (o *Output) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
