package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// BitcoinError is an error that bitcoind or btcd answered.
type BitcoinError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the daemon's own text and code.
func (e *BitcoinError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// rpcClient never reuses a connection that a stopped daemon has closed.
var rpcClient = &http.Client{Timeout: 3 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// jsonRPC is how one daemon is asked.
type jsonRPC struct {
	daemon, url, user, password string
	client                      *http.Client
}

// call sends one request; result may be nil.
func (r jsonRPC) call(method string, result any, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(r.user, r.password)
	resp, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.daemon, method, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.daemon, method, err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *BitcoinError   `json:"error"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%s %s: status %s", r.daemon, method, resp.Status)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s %s: %w", r.daemon, method, answer.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}
