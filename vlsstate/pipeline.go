package vlsstate

import (
	"runtime"
	"slices"
	"sync"

	"github.com/glrecover/glrecover/channel"
)

// part is what one entry says, read without knowing the others.
type part struct {
	located
	// err is why the entry is none; only Key and position are set then.
	err *fieldError
	// node is the node that the key names, zero where it names none.
	node channel.PubKey

	channel *channel.Channel
	opening *Opening
	peerID  channel.PubKey
	peer    *Peer
	tracker *trackerFacts
	facts   *nodeFacts
	// preimages are those of a nodestates/ entry.
	preimages []Preimage
	problems  []EntryError
}

// worker reads entries, one after the other, with memory of its own.
type worker struct{ x index }

// read reads the entry that stands under key, as a decoder has let it through.
func (w *worker) read(key string, position int, raw []byte) *part {
	p := &part{located: located{Entry: Entry{Key: key}, position: position}}
	if err := w.x.readJSON(raw); err != nil {
		p.err = &fieldError{reason: err.Error()}
		return p
	}
	value := p.parse(&w.x)
	if p.err == nil && !p.Tombstone() {
		p.load(value)
	}
	return p
}

// again reads the value of an entry that was read before.
func (w *worker) again(e located) *part {
	p := &part{located: e}
	if e.Tombstone() {
		return p
	}
	if err := w.x.read(e.Value); err != nil {
		p.err = &fieldError{reason: err.Error()}
		return p
	}
	p.load(node{&decoder{x: &w.x}, 0})
	return p
}

// readAgain reads the values of entries on every core.
func readAgain(list []located) []*part {
	out := make([]*part, len(list))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for first := range workers {
		wg.Go(func() {
			var w worker
			for i := first; i < len(list); i += workers {
				out[i] = w.again(list[i])
			}
		})
	}
	wg.Wait()
	return out
}

// batchSize is how many bytes of entries go to a worker at once.
const batchSize = 1 << 18

// batch is a run of entries of a file, or of a tracker's listeners.
type batch struct {
	// keys are those of entries.
	keys []string
	text []byte
	ends []int
	// first is the position of the first entry, counted from one, or the index of the
	// first listener.
	first int
	done  chan struct{}

	parts     []*part
	listeners *listeners
	// ofTracker says that these are listeners, joins that the entry is the tracker
	// which they belong to.
	ofTracker, joins bool
}

// pipeline takes entries from a reader and reads them on every core; the parts
// come out in the order of the entries.
type pipeline struct {
	work    chan *batch
	waiting []*batch
	current *batch
	free    sync.Pool
	wg      sync.WaitGroup
	parts   []*part
	count   int
	// listeners are those read since the last tracker, listening is how many have come.
	listeners []*listeners
	listening int
}

func newPipeline() *pipeline {
	workers := runtime.GOMAXPROCS(0)
	p := &pipeline{work: make(chan *batch, workers)}
	p.free.New = func() any { return &batch{text: make([]byte, 0, batchSize+batchSize/4)} }
	for range workers {
		p.wg.Go(func() {
			var w worker
			for b := range p.work {
				if b.ofTracker {
					b.listeners = w.listeners(b)
				} else {
					for i := range b.ends {
						b.parts = append(b.parts, w.read(b.keys[i], b.first+i, b.raw(i)))
					}
				}
				close(b.done)
			}
		})
	}
	return p
}

// raw is the text of one entry or listener.
func (b *batch) raw(i int) []byte {
	if i == 0 {
		return b.text[:b.ends[0]]
	}
	return b.text[b.ends[i-1]:b.ends[i]]
}

// add takes one entry; raw is copied.
func (p *pipeline) add(key string, raw []byte) {
	p.count++
	if p.current == nil {
		p.begin(p.count)
	}
	p.current.keys = append(p.current.keys, key)
	p.put(raw)
}

// addListener takes one listener of a tracker; raw is copied.
func (p *pipeline) addListener(raw []byte) {
	if p.current == nil {
		p.begin(p.listening)
		p.current.ofTracker = true
	}
	p.listening++
	p.put(raw)
}

// begin begins a batch.
func (p *pipeline) begin(first int) {
	b := p.free.Get().(*batch)
	*b = batch{keys: b.keys[:0], text: b.text[:0], ends: b.ends[:0], first: first, done: make(chan struct{})}
	p.current = b
}

func (p *pipeline) put(raw []byte) {
	b := p.current
	b.text = append(b.text, raw...)
	b.ends = append(b.ends, len(b.text))
	if len(b.text) >= batchSize {
		p.flush()
	}
}

func (p *pipeline) flush() {
	if p.current == nil {
		return
	}
	p.work <- p.current
	p.waiting = append(p.waiting, p.current)
	p.current = nil
	// Batches that are done give their memory back.
	for len(p.waiting) > 0 {
		select {
		case <-p.waiting[0].done:
			p.collect()
			continue
		default:
		}
		break
	}
}

func (p *pipeline) collect() {
	b := p.waiting[0]
	p.waiting = p.waiting[1:]
	switch {
	case b.ofTracker:
		p.listeners = append(p.listeners, b.listeners)
	case b.joins:
		b.parts[0].join(p.listeners)
		p.listeners = nil
	}
	p.parts = append(p.parts, b.parts...)
	clear(b.keys)
	if cap(b.text) <= 4*batchSize {
		p.free.Put(b)
	}
}

// close waits for all parts.
func (p *pipeline) close() []*part {
	p.flush()
	close(p.work)
	for len(p.waiting) > 0 {
		<-p.waiting[0].done
		p.collect()
	}
	p.wg.Wait()
	return p.parts
}

// once turns the entries whose key occurs more than once into complaints.
func once(parts []*part) {
	count := make(map[string]int, len(parts))
	for _, p := range parts {
		count[p.Key]++
	}
	for i, p := range parts {
		if count[p.Key] > 1 {
			parts[i] = &part{
				located: located{Entry: Entry{Key: p.Key}, position: p.position},
				err:     &fieldError{reason: "the file has this entry more than once"},
			}
		}
	}
}

// assemble joins the parts of one node's state, in their order.
func (b *Backup) assemble(parts []*part) error {
	b.makeMaps()
	live := 0
	for _, p := range parts {
		if p.err == nil {
			live++
		}
	}
	b.Entries = slices.Grow(b.Entries, live)
	for _, p := range parts {
		b.take(p)
	}
	b.Entries.Sort()
	return b.finish()
}

// take adds one part.
func (b *Backup) take(p *part) {
	if p.err != nil {
		b.complain(p, EntryLost, p.err)
		return
	}
	b.Entries = append(b.Entries, p.Entry)
	if !p.node.IsZero() && p.node != b.NodeID {
		what := "the entry is of another node"
		if p.Kind() == KindChannel {
			what = "the channel is of another node"
		}
		b.complain(p, EntryLost, &fieldError{reason: what})
		return
	}
	if p.channel != nil {
		b.Channels = append(b.Channels, p.channel)
	}
	if p.opening != nil {
		b.Openings = append(b.Openings, *p.opening)
	}
	if p.peer != nil {
		b.Peers[p.peerID] = *p.peer
	}
	if p.tracker != nil {
		b.TrackerHeight, b.Heights = p.tracker.height, p.tracker.heights
	}
	if p.facts != nil {
		b.Network, b.KeyDerivationStyle = p.facts.network, p.facts.style
	}
	if p.preimages != nil {
		b.Preimages = p.preimages
	}
	for i := range p.problems {
		b.complain(p, p.problems[i].Effect, &fieldError{p.problems[i].Field, p.problems[i].Reason})
	}
	if p.note != "" && len(p.problems) == 0 {
		b.complain(p, Noted, &fieldError{reason: p.note})
	}
}

func (b *Backup) complain(p *part, effect Effect, err *fieldError) {
	x := problemAt(p.Key, p.position)
	x.Field, x.Reason, x.Effect = err.field, err.reason, effect
	b.Problems = append(b.Problems, &x)
}
