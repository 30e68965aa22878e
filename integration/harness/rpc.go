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
	"strings"
	"time"

	"github.com/glrecover/glrecover/failure"
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

// Refuses reports whether the error is this refusal of the product: its name begins
// the message, and the code is the name's.
func (e *RPCError) Refuses(name failure.Name) bool {
	return e.Code == name.Code() && strings.HasPrefix(e.Message, string(name)+": ")
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

// CallRaw sends the parameters byte for byte as they are given, for requests
// that no encoder would write, over a connection of its own.
func (n *CLN) CallRaw(method string, params []byte) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", n.Socket())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	var req bytes.Buffer
	fmt.Fprintf(&req, `{"jsonrpc":"2.0","id":"h","method":%q,"params":`, method)
	req.Write(params)
	req.WriteString("}")
	if _, err := conn.Write(req.Bytes()); err != nil {
		return nil, err
	}
	var answer struct {
		ID     string          `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  *RPCError       `json:"error"`
	}
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: no answer: %w", method, err)
	}
	if answer.ID != "h" {
		return nil, fmt.Errorf("%s: answer to another request", method)
	}
	if answer.Error != nil {
		answer.Error.Method = method
		return nil, answer.Error
	}
	return answer.Result, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

func hexBytes(s string) ([]byte, error) { return hex.DecodeString(s) }
