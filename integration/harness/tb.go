package harness

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// TB is what the harness needs of its user; *testing.T is one, the demo brings
// another. Fatalf must not return.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(f func())
}

// Skipper is a TB that can leave a scenario out; *testing.T is one.
type Skipper interface {
	TB
	Skipf(format string, args ...any)
}

// pollInterval is how often Wait asks.
const pollInterval = 40 * time.Millisecond

// Timeout bounds each Wait that names no other. It is generous because the
// machine may be busy; nothing takes that long when it works.
const Timeout = 90 * time.Second

// Wait asks again and again until ready returns nil, and fails the test with
// its last error after Timeout.
func Wait(t TB, what string, ready func() error) {
	t.Helper()
	WaitFor(t, Timeout, what, ready)
}

// WaitFor is Wait with a bound of its own.
func WaitFor(t TB, timeout time.Duration, what string, ready func() error) {
	t.Helper()
	if err := Poll(timeout, ready); err != nil {
		t.Fatalf("waited %s for %s: %v", timeout, what, err)
	}
}

// Poll asks until ready returns nil and returns its last error after timeout.
func Poll(timeout time.Duration, ready func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := ready()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pollInterval)
	}
}

// Holds asks for the whole of the duration whether ok still returns nil, and
// fails the test when it does not: for what must not happen.
func Holds(t TB, d time.Duration, what string, ok func() error) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(pollInterval) {
		if err := ok(); err != nil {
			t.Fatalf("%s did not hold: %v", what, err)
		}
	}
}

// Console is a TB for programs that are no tests: it prints instead of
// keeping, and Fatalf ends the calling goroutine after Close has run what was
// registered.
type Console struct {
	name   string
	print  func(line string)
	mu     sync.Mutex
	failed bool
	undo   []func()
}

// NewConsole returns a Console that prints each line with print.
func NewConsole(name string, print func(line string)) *Console {
	return &Console{name: name, print: print}
}

// consoleFatal is what Fatalf panics with and Run recovers.
type consoleFatal struct{}

// Helper does nothing.
func (c *Console) Helper() {}

// Name returns the name given to NewConsole.
func (c *Console) Name() string { return c.name }

// Logf prints.
func (c *Console) Logf(format string, args ...any) {
	c.print(strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

// Errorf prints and marks the run as failed.
func (c *Console) Errorf(format string, args ...any) {
	c.mu.Lock()
	c.failed = true
	c.mu.Unlock()
	c.Logf(format, args...)
}

// Fatalf prints, marks the run as failed and unwinds to Run. It must be called
// on Run's goroutine.
func (c *Console) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	panic(consoleFatal{})
}

// Failed reports whether Errorf or Fatalf was called.
func (c *Console) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Cleanup registers f to run when Run ends, last one first.
func (c *Console) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.undo = append(c.undo, f)
}

// Close runs what Cleanup registered, last one first, once.
func (c *Console) Close() {
	for {
		c.mu.Lock()
		n := len(c.undo)
		if n == 0 {
			c.mu.Unlock()
			return
		}
		f := c.undo[n-1]
		c.undo = c.undo[:n-1]
		c.mu.Unlock()
		f()
	}
}

// Run calls story, cleans up whatever happens, and reports whether nothing
// failed.
func (c *Console) Run(story func()) (ok bool) {
	defer func() { ok = !c.Failed() }()
	defer c.Close()
	defer func() {
		switch r := recover(); r.(type) {
		case nil, consoleFatal:
		default:
			panic(r)
		}
	}()
	story()
	return true
}
