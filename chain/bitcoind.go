package chain

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bitcoind talks JSON-RPC over HTTP with bitcoind. It implements Backend and
// Node. Its methods may be called from several goroutines.
type Bitcoind struct {
	at     endpoint
	client *http.Client
	scan   chan struct{} // one scantxoutset at a time
}

var (
	_ Backend = (*Bitcoind)(nil)
	_ Node    = (*Bitcoind)(nil)
)

// NewBitcoind finds address and credentials, without connecting. Errors never
// quote a credential; a missing cookie shows at the first call, since bitcoind
// writes one at each start.
func NewBitcoind(o Options) (*Bitcoind, error) {
	at, err := o.resolve()
	if err != nil {
		return nil, fmt.Errorf("bitcoind: %w", err)
	}
	trust, err := o.trust()
	if err != nil {
		return nil, fmt.Errorf("bitcoind: %w", err)
	}
	return &Bitcoind{
		at: at,
		client: &http.Client{
			Transport: &http.Transport{
				TLSClientConfig: trust,
				// No proxy: the environment has no say in where the
				// credentials go.
				Proxy:               nil,
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 2,
				IdleConnTimeout:     30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		scan: make(chan struct{}, 1),
	}, nil
}

// String names the address only.
func (b *Bitcoind) String() string { return "bitcoind at " + b.at.addr }

// GoString names the address only.
func (b *Bitcoind) GoString() string { return b.String() }

// RPCError is bitcoind's own error answer.
type RPCError struct {
	Method  string
	Code    int
	Message string
}

// Error names method, code and bitcoind's message.
func (e *RPCError) Error() string {
	return fmt.Sprintf("bitcoind %s: %s (code %d)", e.Method, e.Message, e.Code)
}

// Is lets the errors of this package match bitcoind's codes.
func (e *RPCError) Is(target error) bool {
	switch {
	case errors.Is(target, ErrUnsupported):
		return e.Code == codeNoMethod
	case errors.Is(target, ErrUnavailable):
		return e.Code == codeWarmup
	}
	return false
}

// bitcoind's error codes (its src/rpc/protocol.h).
const (
	codeMisc        = -1
	codeNotFound    = -5
	codeParameter   = -8
	codeVerify      = -25
	codeRejected    = -26
	codeKnown       = -27
	codeWarmup      = -28
	codeNoMethod    = -32601
	maxAnswer       = 4 << 20
	maxAnswerBlock  = 2*maxBlockBytes + 4096
	maxAnswerScan   = 64 << 20
	callTime        = 60 * time.Second
	abortTime       = 10 * time.Second
	contentTypeJSON = "application/json"
)

// call is callWithin for methods that answer soon.
func (b *Bitcoind) call(ctx context.Context, out any, method string, params ...any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return b.callCapped(ctx, maxAnswer, out, method, params...)
}

// callCapped makes one request and decodes its result into out; an answer of
// more than limit bytes is an error. Two tries: bitcoind may have written a new
// cookie, or closed an idle connection, since the last call.
func (b *Bitcoind) callCapped(ctx context.Context, limit int64, out any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "1.0", "id": "glrecover", "method": method, "params": params,
	})
	if err != nil {
		return fmt.Errorf("bitcoind %s: %w", method, err)
	}
	raw, status, err := b.post(ctx, limit, body)
	if err == nil && status == http.StatusUnauthorized && b.at.cookie != "" {
		raw, status, err = b.post(ctx, limit, body)
	}
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %s: %w", ErrUnavailable, method, ctx.Err())
		}
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, method, err)
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fmt.Errorf("%w: bitcoind rejects the credentials (HTTP %d)", ErrUnavailable, status)
	}
	var answer struct {
		Result jsontext.Value `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	// encoding/json would go through a block four times.
	if err := jsonv2.Unmarshal(raw, &answer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("%w: %s: not a JSON-RPC answer (HTTP %d)", ErrUnavailable, method, status)
	}
	if answer.Error != nil {
		return &RPCError{Method: method, Code: answer.Error.Code, Message: answer.Error.Message}
	}
	if status != http.StatusOK {
		return fmt.Errorf("%w: %s: HTTP %d", ErrUnavailable, method, status)
	}
	if out == nil {
		return nil
	}
	if text, ok := out.(*string); ok && answer.Result.Kind() == '"' {
		unquoted, _ := jsontext.AppendUnquote(nil, answer.Result) // it was read already
		*text = string(unquoted)
		return nil
	}
	if err := json.Unmarshal(answer.Result, out); err != nil {
		return fmt.Errorf("bitcoind %s: unexpected form of answer", method)
	}
	return nil
}

func (b *Bitcoind) post(ctx context.Context, limit int64, body []byte) (raw []byte, status int, err error) {
	user, pass, err := b.at.login()
	if err != nil {
		return nil, 0, err
	}
	scheme := "http://"
	if b.at.tls {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+b.at.addr+"/", bytes.NewReader(body))
	if err != nil {
		return nil, 0, errors.New("address is not host:port")
	}
	req.SetBasicAuth(user, pass)
	req.Header.Set("Content-Type", contentTypeJSON)
	resp, err := b.client.Do(req)
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return nil, 0, fmt.Errorf("the certificate of %s is not trusted: %w", b.at.addr, untrusted.Err)
	case err != nil:
		return nil, 0, errors.New("no connection to " + b.at.addr)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	text.Grow(int(max(0, min(resp.ContentLength, limit))) + bytes.MinRead)
	if _, err = text.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return nil, 0, errors.New("the connection broke")
	}
	if int64(text.Len()) > limit {
		return nil, 0, fmt.Errorf("answer of more than %d bytes", limit)
	}
	return text.Bytes(), resp.StatusCode, nil
}

// isCode reports whether err is bitcoind's error answer of that code.
func isCode(err error, code int) bool {
	var e *RPCError
	return errors.As(err, &e) && e.Code == code
}

// isMessage reports whether err is bitcoind's error answer with that text in
// it.
func isMessage(err error, text string) bool {
	var e *RPCError
	return errors.As(err, &e) && strings.Contains(strings.ToLower(e.Message), text)
}

// messageOf is bitcoind's own text of an error answer.
func messageOf(err error) string {
	var e *RPCError
	if errors.As(err, &e) {
		return e.Message
	}
	return ""
}
