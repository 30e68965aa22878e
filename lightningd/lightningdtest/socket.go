package lightningdtest

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/glrecover/glrecover/lightningd"
)

// Call is one call that a Socket answered or refused.
type Call struct {
	Method string
	Params json.RawMessage
}

// Handler answers one call. An error that is no *lightningd.RPCError gets code
// -1.
type Handler func(params json.RawMessage) (any, error)

// Socket is a JSON-RPC socket that knows only the methods it was told.
type Socket struct {
	t        testing.TB
	path     string
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	handlers map[string]Handler
	calls    []Call
	conns    map[net.Conn]bool
	closed   bool
}

// NewSocket listens until the test ends.
func NewSocket(t testing.TB) *Socket {
	t.Helper()
	// Not t.TempDir: a socket's path may have some 100 bytes only.
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	s := &Socket{
		t: t, path: filepath.Join(dir, "rpc"),
		handlers: make(map[string]Handler), conns: make(map[net.Conn]bool),
	}
	if s.listener, err = net.Listen("unix", s.path); err != nil {
		t.Fatal(err)
	}
	s.wg.Add(1)
	go s.accept()
	t.Cleanup(func() {
		s.Close()
		os.RemoveAll(dir)
	})
	return s
}

// Path is the socket's absolute path.
func (s *Socket) Path() string { return s.path }

// Client returns a client of this socket.
func (s *Socket) Client() *lightningd.Client { return lightningd.NewClient(s.path) }

// Close ends all connections; calls fail from now on.
func (s *Socket) Close() {
	s.mu.Lock()
	s.closed = true
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Answer allows a method and fixes its result: a value, or raw JSON.
func (s *Socket) Answer(method string, result any) {
	s.Handle(method, func(json.RawMessage) (any, error) { return result, nil })
}

// Handle allows a method.
func (s *Socket) Handle(method string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[method] = h
}

// Forbid makes a method fail the test again.
func (s *Socket) Forbid(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.handlers, method)
}

// Calls returns all calls so far, in order.
func (s *Socket) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Count is how often a method was called.
func (s *Socket) Count(method string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Method == method {
			n++
		}
	}
	return n
}

func (s *Socket) accept() {
	defer s.wg.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			conn.Close()
			s.mu.Unlock()
			return
		}
		s.conns[conn] = true
		s.wg.Add(1)
		s.mu.Unlock()
		go s.serve(conn)
	}
}

func (s *Socket) serve(conn net.Conn) {
	defer s.wg.Done()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	dec := json.NewDecoder(conn)
	for {
		var req struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		if dec.Decode(&req) != nil {
			return
		}
		answer := map[string]any{"jsonrpc": "2.0", "id": req.ID}
		if result, err := s.answer(Call{req.Method, req.Params}); err != nil {
			answer["error"] = toError(err)
		} else {
			answer["result"] = result
		}
		raw, err := json.Marshal(answer)
		if err != nil {
			s.t.Errorf("stand-in lightningd: cannot encode the answer to %s: %v", req.Method, err)
			return
		}
		if _, err := conn.Write(append(raw, '\n', '\n')); err != nil {
			return
		}
	}
}

func (s *Socket) answer(c Call) (any, error) {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	h := s.handlers[c.Method]
	s.mu.Unlock()
	if h == nil {
		s.t.Errorf("stand-in lightningd: method %s is not allowed (parameters %s)", c.Method, c.Params)
		return nil, &lightningd.RPCError{Code: -32601, Message: "Unknown command '" + c.Method + "'"}
	}
	return h(c.Params)
}

func toError(err error) map[string]any {
	var rpc *lightningd.RPCError
	if !errors.As(err, &rpc) {
		return map[string]any{"code": -1, "message": err.Error()}
	}
	out := map[string]any{"code": rpc.Code, "message": rpc.Message}
	if rpc.Data != nil {
		out["data"] = rpc.Data
	}
	return out
}
