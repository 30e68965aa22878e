package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// callTimeout bounds one request to lightningd.
const callTimeout = 2 * time.Minute

// RPCError is an error that lightningd, or a plugin behind it, answered.
type RPCError struct {
	Method  string          `json:"-"`
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// Error returns method, message and code.
func (e *RPCError) Error() string {
	return fmt.Sprintf("%s: %s (%d)", e.Method, e.Message, e.Code)
}

// AsRPCError returns the lightningd error in err, or nil.
func AsRPCError(err error) *RPCError {
	var e *RPCError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Params are named parameters of a request. An absent key is left out, a nil
// value is sent as null.
type Params map[string]any

// Socket is the path of lightningd's RPC socket.
func (n *CLN) Socket() string { return filepath.Join(n.Dir, "regtest", "lightning-rpc") }

// Call sends one request with named parameters; result may be nil.
func (n *CLN) Call(method string, params Params, result any) error {
	if params == nil {
		params = Params{}
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer, err := n.CallRaw(method, raw)
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Must is Call that fails the test on an error.
func (n *CLN) Must(method string, params Params, result any) {
	n.net.T.Helper()
	if err := n.Call(method, params, result); err != nil {
		n.net.T.Fatalf("%s: %v", n.Name, err)
	}
}

// CallRaw sends the parameters byte for byte as they are given: for requests
// that no encoder would write.
func (n *CLN) CallRaw(method string, params []byte) (json.RawMessage, error) {
	answer, _, err := n.exchange(method, params, false)
	return answer, err
}

// CallProgress is CallRaw with progress notifications switched on; it returns
// those that arrived before the answer.
func (n *CLN) CallProgress(method string, params []byte) (json.RawMessage, []json.RawMessage, error) {
	return n.exchange(method, params, true)
}

type rpcMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *RPCError       `json:"error"`
}

// exchange uses a connection of its own for each request.
func (n *CLN) exchange(method string, params []byte, progress bool) (json.RawMessage, []json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", n.Socket())
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	dec := json.NewDecoder(conn)
	read := func(id string) (*rpcMessage, []json.RawMessage, error) {
		var notes []json.RawMessage
		for {
			var m rpcMessage
			if err := dec.Decode(&m); err != nil {
				return nil, notes, fmt.Errorf("%s: no answer: %w", method, err)
			}
			if m.Method != "" {
				notes = append(notes, m.Params)
				continue
			}
			if string(m.ID) != id {
				return nil, notes, fmt.Errorf("%s: answer to another request", method)
			}
			return &m, notes, nil
		}
	}
	if progress {
		if _, err := conn.Write([]byte(`{"jsonrpc":"2.0","id":"n","method":"notifications","params":{"enable":true}}`)); err != nil {
			return nil, nil, err
		}
		if _, _, err := read(`"n"`); err != nil {
			return nil, nil, err
		}
	}
	var req bytes.Buffer
	fmt.Fprintf(&req, `{"jsonrpc":"2.0","id":"h","method":%q,"params":`, method)
	req.Write(params)
	req.WriteString("}")
	if _, err := conn.Write(req.Bytes()); err != nil {
		return nil, nil, err
	}
	m, notes, err := read(`"h"`)
	if err != nil {
		return nil, notes, err
	}
	if m.Error != nil {
		m.Error.Method = method
		return nil, notes, m.Error
	}
	return m.Result, notes, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

func hexBytes(s string) ([]byte, error) { return hex.DecodeString(s) }
