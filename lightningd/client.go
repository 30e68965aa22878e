package lightningd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/niftynei/glightning/jrpc2"
)

const (
	// DefaultTimeout bounds a call whose context has no deadline.
	DefaultTimeout = 60 * time.Second
	// dialPatience is how long a call waits for a socket that is busy or not
	// there for a moment.
	dialPatience = 3 * time.Second
	dialPause    = 50 * time.Millisecond
	// maxAnswer caps one answer, in bytes; listnodes on mainnet is some 20 MB.
	maxAnswer = 256 << 20
)

// Client calls lightningd's JSON-RPC. Each call has a connection of its own,
// which the call's context ends; so calls never wait for each other, and a
// lightningd that was away is found again. Methods may be called from any
// goroutine.
//
// Errors are *RPCError where lightningd answered one, match ErrUnreachable
// where it did not answer, and match the context's error where that ended the
// call.
type Client struct {
	socket string
	lastID atomic.Uint64
}

// NewClient returns a client of the socket at an absolute path. It does not
// connect.
func NewClient(socket string) *Client { return &Client{socket: socket} }

// Socket returns the path of the socket.
func (c *Client) Socket() string { return c.socket }

// call sends one request and decodes its result into result (nil: ignored).
func (c *Client) call(ctx context.Context, method jrpc2.Method, result any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	id := "glrecover:" + method.Name() + "#" + strconv.FormatUint(c.lastID.Add(1), 10)
	request, err := json.Marshal(&jrpc2.Request{Id: jrpc2.NewId(id), Method: method})
	if err != nil {
		return fmt.Errorf("lightningd: %s: cannot encode the request: %w", method.Name(), err)
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return c.broken(ctx, method, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(append(request, '\n', '\n')); err != nil {
		return c.broken(ctx, method, err)
	}
	// What is in a string is for whoever decodes it.
	dec := jsontext.NewDecoder(io.LimitReader(conn, maxAnswer), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		a, err := readAnswer(dec)
		if err != nil {
			return c.broken(ctx, method, err)
		}
		if string(a.ID) != strconv.Quote(id) {
			continue // a notification
		}
		if a.Error != nil {
			return &RPCError{Code: a.Error.Code, Message: a.Error.Message, Method: method.Name(), Data: a.Error.Data}
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(a.Result, result); err != nil {
			return fmt.Errorf("lightningd: %s: unexpected answer: %w", method.Name(), err)
		}
		return nil
	}
}

// answer is lightningd's to a call, or a notification, which has no id.
type answer struct {
	ID, Result json.RawMessage
	Error      *jrpc2.RpcError
}

// readAnswer reads what comes next. A block has megabytes, which encoding/json would
// go through twice as often.
func readAnswer(dec *jsontext.Decoder) (a answer, err error) {
	if dec.PeekKind() != '{' {
		if err = dec.SkipValue(); err == nil {
			err = errors.New("the answer is not an object")
		}
		return a, err
	}
	if _, err = dec.ReadToken(); err != nil {
		return a, err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return a, err
		}
		what := name.String()
		raw, err := dec.ReadValue()
		if err != nil {
			return a, err
		}
		switch what {
		case "id":
			a.ID = json.RawMessage(raw.Clone())
		case "result":
			a.Result = json.RawMessage(raw.Clone())
		case "error":
			if err := json.Unmarshal(raw, &a.Error); err != nil {
				return a, err
			}
		}
	}
	_, err = dec.ReadToken()
	return a, err
}

// dial waits a little where the socket refuses: its queue is full, or
// lightningd is just making it.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	deadline := time.Now().Add(dialPatience)
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", c.socket)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return conn, err
		}
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
		}
	}
}

func (c *Client) broken(ctx context.Context, method jrpc2.Method, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("lightningd: %s: %w", method.Name(), cause)
	}
	return fmt.Errorf("lightningd: %s: %w", method.Name(), errors.Join(ErrUnreachable, err))
}
