package recovery

import (
	"context"
	"sync"

	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/plan"
)

// calls are the commands that wait for the owner of the state.
type calls struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*call
	// running is the call of glrecover under way, nil if none.
	running *call
}

// call is one of them.
type call struct {
	id       uint64
	replies  chan model.Reply
	progress api.Progress

	// mu is held while the plan is read or changed: several sessions hear peers at
	// once.
	mu   sync.Mutex
	plan *plan.Plan
	in   plan.Inputs
}

func (c *calls) begin(p api.Progress) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	n := &call{id: c.last, replies: make(chan model.Reply, 2), progress: p}
	c.waiting[n.id] = n
	return n
}

func (c *calls) end(n *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, n.id)
	if c.running == n {
		c.running = nil
	}
}

func (c *calls) of(id uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting[id]
}

func (c *calls) reply(r model.Reply) {
	if n := c.of(r.Call); n != nil {
		n.replies <- r // there are two at most
	}
}

func (c *calls) progress(p model.Progress) {
	n := c.of(p.Call)
	if n == nil || n.progress == nil {
		return
	}
	n.progress.Message(p.Text)
	if p.Total > 0 {
		n.progress.Step(p.Done, p.Total)
	}
}

// current is the call of glrecover under way, nil if none.
func (c *calls) current() *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// wait waits for the answer.
func (n *call) wait(ctx context.Context) (model.Reply, error) {
	select {
	case r := <-n.replies:
		return r, nil
	case <-ctx.Done():
		return model.Reply{}, ctx.Err()
	}
}
