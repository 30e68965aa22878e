package lightningd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/glrecover/glrecover/failure"
)

// RPCError is an error that lightningd answered.
type RPCError struct {
	// Code is CLN's (common/jsonrpc_errors.h).
	Code    int
	Message string
	Method  string
	// Data is the error's data member, nil without one.
	Data json.RawMessage
}

// CodeUnknownMethod is what lightningd answers to a method that it does not have
// (JSON-RPC 2.0).
const CodeUnknownMethod = -32601

// Error names method, code and lightningd's words.
func (e *RPCError) Error() string {
	return fmt.Sprintf("lightningd: %s: %s (code %d)", e.Method, e.Message, e.Code)
}

// ErrUnreachable is matched by the error of a call that lightningd did not
// answer: no connection, or the connection ended. Whether the call had an
// effect is unknown.
var ErrUnreachable = errors.New("no answer from lightningd")

// toFailure is what a caller sees of an error: a failure keeps its name, code
// and data, everything else is an internal error.
func toFailure(err error) *rpcFailure {
	var f *failure.Error
	if !errors.As(err, &f) {
		f = failure.New(failure.Internal, "", "%v", err)
	}
	out := &rpcFailure{Code: f.Name.Code(), Message: f.Error()}
	if f.Data != nil {
		if data, err := json.Marshal(f.Data); err == nil {
			out.Data = data
		}
	}
	return out
}

func refusal(id json.RawMessage, f *rpcFailure) envelope {
	return envelope{Version: "2.0", ID: id, Error: f}
}

// encodeResult makes the answer of a handler an object: lightningd and
// lightning-cli expect one.
func encodeResult(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the answer: %w", err)
	}
	if string(raw) == "null" {
		return json.RawMessage("{}"), nil
	}
	return raw, nil
}

func errTooLarge() error {
	return failure.New(failure.BackupTooLarge, "Give the absolute path of the backup file instead",
		"the request is larger than %d MiB", MaxMessage>>20)
}

func errBusy() error {
	return failure.New(failure.Busy, "Wait for one of them to end",
		"%d glrecover commands are already running", maxMethods)
}

func paramsError(found string) error {
	return failure.New(failure.InvalidParameter, "", "%s", found)
}
