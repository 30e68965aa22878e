package lightningd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/glrecover/glrecover/failure"
	"github.com/niftynei/glightning/glightning"
	"github.com/niftynei/glightning/jrpc2"
)

const (
	topicShutdown = "shutdown"

	// maxMethods is how many of our methods may run at once, maxQueued how
	// many notifications may wait.
	maxMethods = 64
	maxQueued  = 4096
	// stopGrace is how long running handlers may take to notice the end.
	// lightningd kills a plugin after 30 s.
	stopGrace = 10 * time.Second
)

// Serve answers lightningd until its stream ends, lightningd announces its
// shutdown, or ctx ends; these give nil. It returns the error of a stream that
// is no JSON or that ends within a message, and of a failed write.
func (p *Plugin) Serve(ctx context.Context, in io.Reader, out *Output) error {
	s, err := newShim(ctx, p, out)
	if err != nil {
		return err
	}
	read := make(chan error, 1)
	go func() { read <- s.readAll(newFramer(in)) }()
	go s.notifyAll()
	select {
	case err = <-read:
	case <-s.ctx.Done():
	case <-out.failed:
		err = out.Err()
	}
	s.close()
	return err
}

// shim stands between lightningd's stream and glightning.
type shim struct {
	plugin *Plugin
	out    *Output
	ctx    context.Context
	cancel context.CancelFunc
	names  map[string]*entry
	queue  chan queued

	gl                       *glightning.Plugin
	requestsIn, requestsOut  *os.File // what glightning reads, what we write
	answersIn, answersOut    *os.File // what we read, what glightning writes
	listenDone, answerDone   chan struct{}
	writeMu, initMu          sync.Mutex
	initialised, queueIsFull bool

	mu         sync.Mutex
	calls      map[string]*call
	lastHandle uint64
	methods    int
	idle       *sync.Cond
}

// entry is a name that lightningd may use: exactly one of the fields is set.
type entry struct {
	builtin func(params json.RawMessage) (any, error)
	method  *Method
	hook    *Hook
	topic   *Subscription
}

// call is one request or notification between its arrival and its answer.
type call struct {
	entry  *entry
	id     json.RawMessage // nil for a notification
	params json.RawMessage
	// done is closed just before the answer goes out, or after the
	// notification was handled.
	done chan struct{}
	err  error
}

type queued struct {
	name   string
	params json.RawMessage
}

func newShim(ctx context.Context, p *Plugin, out *Output) (*shim, error) {
	// glightning reads these: some make it log whole messages, backups
	// included, some make it refuse init, some end the process on a long log
	// line.
	for _, name := range []string{
		"LIGHTNINGD_PLUGIN", "GOLIGHT_DEBUG_LOGFILE", "GOLIGHT_DEBUG_IO",
		"GOLIGHT_DEBUG_IO_IN", "GOLIGHT_STRICT_MODE",
	} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	s := &shim{
		plugin: p, out: out,
		names: make(map[string]*entry), calls: make(map[string]*call),
		queue:      make(chan queued, maxQueued),
		listenDone: make(chan struct{}), answerDone: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.idle = sync.NewCond(&s.mu)
	s.gl = glightning.NewPlugin(func(*glightning.Plugin, map[string]glightning.Option, *glightning.Config) {})
	if err := s.register(); err != nil {
		return nil, err
	}
	var err error
	if s.requestsIn, s.requestsOut, err = os.Pipe(); err != nil {
		return nil, err
	}
	if s.answersIn, s.answersOut, err = os.Pipe(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.listenDone)
		if err := s.gl.Start(s.requestsIn, s.answersOut); err != nil {
			p.Log.Errorf("glightning stopped: %v", err)
		}
	}()
	go s.answerAll()
	return s, nil
}

func (s *shim) register() error {
	add := func(name string, e entry) error {
		s.names[name] = &e
		return s.gl.RegisterMethod(glightning.NewRpcMethod(&bridged{shim: s, name: name}, ""))
	}
	var errs []error
	// Registered first, these win over glightning's own.
	errs = append(errs,
		add("getmanifest", entry{builtin: func(json.RawMessage) (any, error) { return s.plugin.manifest(), nil }}),
		add("init", entry{builtin: s.initialise}),
		add("check", entry{builtin: s.check}))
	for i := range s.plugin.Methods {
		errs = append(errs, add(s.plugin.Methods[i].Name, entry{method: &s.plugin.Methods[i]}))
	}
	for i := range s.plugin.Hooks {
		errs = append(errs, add(s.plugin.Hooks[i].Name, entry{hook: &s.plugin.Hooks[i]}))
	}
	for i := range s.plugin.Subscriptions {
		errs = append(errs, add(s.plugin.Subscriptions[i].Topic, entry{topic: &s.plugin.Subscriptions[i]}))
	}
	for _, o := range s.plugin.Options {
		errs = append(errs, s.gl.RegisterOption(o.value))
	}
	return errors.Join(errs...)
}

// readAll hands each message on; nil at the end of the stream.
func (s *shim) readAll(f *framer) error {
	for {
		m, err := f.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.dispatch(m)
	}
}

func (s *shim) dispatch(m message) {
	e := s.names[m.method]
	if !m.hasID {
		s.notified(e, m)
		return
	}
	id := m.id
	if id == nil {
		id = json.RawMessage("null")
	}
	switch {
	case e == nil || e.topic != nil:
		s.out.send(refusal(id, &rpcFailure{Code: jrpc2.MethodNotFound, Message: "Unknown method"}))
	case (m.tooLarge || m.malformed) && e.hook != nil:
		s.plugin.Log.Errorf("hook %s: payload cannot be read", e.hook.Name)
		result, err := encodeResult(e.hook.Fallback)
		s.out.send(s.answer(id, result, err))
	case m.tooLarge:
		s.out.send(refusal(id, toFailure(errTooLarge())))
	case m.malformed:
		s.out.send(refusal(id, toFailure(paramsError("the parameters are not valid JSON"))))
	default:
		c := &call{entry: e, id: id, params: m.params, done: make(chan struct{})}
		if !s.start(m.method, c) {
			s.out.send(refusal(id, toFailure(errBusy())))
		}
	}
}

func (s *shim) notified(e *entry, m message) {
	if m.method == topicShutdown {
		s.cancel()
		return
	}
	if e == nil || e.topic == nil || m.params == nil {
		return
	}
	select {
	case s.queue <- queued{m.method, m.params}:
		s.queueIsFull = false
	default:
		if !s.queueIsFull {
			s.plugin.Log.Warnf("more than %d notifications wait; dropping new ones", maxQueued)
		}
		s.queueIsFull = true
	}
}

// notifyAll hands notifications on one by one: glightning alone would run them
// all at once, in any order.
func (s *shim) notifyAll() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case q := <-s.queue:
			c := &call{entry: s.names[q.name], params: q.params, done: make(chan struct{})}
			s.start(q.name, c)
			select {
			case <-c.done:
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// start keeps the call and passes its handle to glightning. False means that
// too many methods run already.
func (s *shim) start(name string, c *call) bool {
	s.mu.Lock()
	if c.entry.method != nil {
		if s.methods >= maxMethods {
			s.mu.Unlock()
			return false
		}
		s.methods++
	}
	s.lastHandle++
	handle := strconv.FormatUint(s.lastHandle, 10)
	s.calls[handle] = c
	s.mu.Unlock()

	idMember := ""
	if c.id != nil {
		idMember = `"id":` + handle + `,`
	}
	line := fmt.Sprintf(`{"jsonrpc":"2.0",%s"method":%q,"params":{"handle":%q}}`+"\n\n", idMember, name, handle)
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if _, err := io.WriteString(s.requestsOut, line); err != nil {
		// Only after close, when nobody waits for the answer any more.
		s.take(handle)
	}
	return true
}

func (s *shim) take(handle string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[handle]
	if c == nil {
		return nil
	}
	delete(s.calls, handle)
	if c.entry.method != nil {
		s.methods--
	}
	if len(s.calls) == 0 {
		s.idle.Broadcast()
	}
	close(c.done)
	return c
}

// bridged is what glightning knows of a name: it parses the handle, and runs
// Call in a goroutine of its own.
type bridged struct {
	shim   *shim
	name   string
	Handle string `json:"handle"`
}

func (b *bridged) Name() string     { return b.name }
func (b *bridged) New() interface{} { return &bridged{shim: b.shim, name: b.name} }

func (b *bridged) Call() (jrpc2.Result, error) {
	s := b.shim
	s.mu.Lock()
	c := s.calls[b.Handle]
	s.mu.Unlock()
	if c == nil {
		return nil, errors.New("no such call")
	}
	if c.id == nil {
		_ = failure.Guard(s.plugin.Log, b.name, func() error { c.entry.topic.Handle(c.params); return nil })
		s.take(b.Handle)
		return nil, nil
	}
	result, err := s.run(b.name, c)
	if err != nil {
		s.mu.Lock()
		c.err = err
		s.mu.Unlock()
		return nil, err
	}
	return result, nil
}

func (s *shim) run(name string, c *call) (json.RawMessage, error) {
	var result any
	err := failure.Guard(s.plugin.Log, name, func() (err error) {
		switch e := c.entry; {
		case e.builtin != nil:
			result, err = e.builtin(c.params)
		case e.method != nil:
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			result, err = e.method.Call(ctx, &Request{Params: c.params, out: s.out, id: c.id, done: c.done})
		case e.hook != nil:
			result = s.runHook(e.hook, c.params)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return encodeResult(result)
}

// runHook answers in time, whatever happens.
func (s *shim) runHook(h *Hook, payload json.RawMessage) any {
	ctx, cancel := context.WithTimeout(s.ctx, h.Timeout)
	defer cancel()
	answer := make(chan any, 1)
	go func() {
		result := h.Fallback
		_ = failure.Guard(s.plugin.Log, h.Name, func() error { result = h.Call(ctx, payload); return nil })
		answer <- result
	}()
	select {
	case result := <-answer:
		return result
	case <-ctx.Done():
		s.plugin.Log.Errorf("hook %s: no answer within %v, using the safe one", h.Name, h.Timeout)
		return h.Fallback
	}
}

// answerAll puts id, code and data back on what glightning answers.
func (s *shim) answerAll() {
	defer close(s.answerDone)
	dec := json.NewDecoder(s.answersIn)
	for {
		var a struct {
			ID     json.Number     `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *jrpc2.RpcError `json:"error"`
		}
		if err := dec.Decode(&a); err != nil {
			return
		}
		c := s.take(a.ID.String())
		if c == nil {
			continue
		}
		s.mu.Lock()
		err := c.err
		s.mu.Unlock()
		if err == nil && a.Error != nil {
			err = a.Error
		}
		s.out.send(s.answer(c.id, a.Result, err))
	}
}

func (s *shim) answer(id, result json.RawMessage, err error) envelope {
	if err != nil {
		return refusal(id, toFailure(err))
	}
	return envelope{Version: "2.0", ID: id, Result: result}
}

// close ends glightning. Its pipe is closed for writing only: glightning ends
// the whole process on a read error, and panics when it is stopped under a
// running call, so a call that ignores its context is left behind.
func (s *shim) close() {
	s.cancel()
	timeout := time.AfterFunc(stopGrace, s.idle.Broadcast)
	defer timeout.Stop()
	deadline := time.Now().Add(stopGrace)
	s.mu.Lock()
	for len(s.calls) > 0 && time.Now().Before(deadline) {
		s.idle.Wait()
	}
	left := len(s.calls)
	s.mu.Unlock()

	s.writeMu.Lock()
	s.requestsOut.Close()
	s.writeMu.Unlock()
	<-s.listenDone
	if left > 0 {
		s.plugin.Log.Warnf("%d calls were still running at the end", left)
		return
	}
	s.gl.Stop()
	s.answersOut.Close()
	<-s.answerDone
	s.answersIn.Close()
	s.requestsIn.Close()
}
