package vlsstate

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"
	"github.com/go-json-experiment/json/jsontext"
)

// A tracker's entry watches every channel: where there are many, it is as long as a
// thousand other entries. Its listeners are read in batches like entries, so that it
// never stands in memory as a whole, and no core reads it alone.

// aroundListener is how deep a listener stands in its entry.
const aroundListener = 3

// listeners is what a batch of a tracker's listeners says.
type listeners struct {
	// text is their canonical form with commas between them.
	text  []byte
	count int
	// inexact says that a number is no 64-bit integer.
	inexact  bool
	fundings []wire.OutPoint
	heights  []Heights
	// broken is why their entry is none, err what is wrong with a value.
	broken error
	err    *fieldError
}

// addTracker takes a tracker's entry from dec.
func (p *pipeline) addTracker(key string, dec *jsontext.Decoder) error {
	p.flush()
	p.listening = 0
	// rest is the entry with no listeners in it.
	rest, err := p.appendRest(nil, dec)
	if err != nil {
		return err
	}
	p.flush()
	p.begin(p.count + 1)
	p.current.joins = true
	p.add(key, rest)
	p.flush()
	return nil
}

// appendRest reads an entry, and appends what is left without its listeners.
func (p *pipeline) appendRest(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	if dec.PeekKind() != '[' {
		return appendValue(out, dec)
	}
	i, taken := 0, false
	return appendElements(out, dec, func(out []byte) ([]byte, error) {
		if i++; i != 2 || dec.PeekKind() != '{' {
			return appendValue(out, dec)
		}
		return appendElements(out, dec, func(out []byte) ([]byte, error) {
			token, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name := token.String()
			out = append(appendString(out, name), ':')
			if taken || name != "listeners" || dec.PeekKind() != '[' {
				return appendValue(out, dec)
			}
			taken = true
			_, err = appendElements(nil, dec, func([]byte) ([]byte, error) {
				raw, err := dec.ReadValue()
				if err == nil {
					p.addListener(raw)
				}
				return nil, err
			})
			return append(out, "[]"...), err
		})
	})
}

// appendElements reads an array or an object, of which element reads and appends
// each value, or name and value.
func appendElements(out []byte, dec *jsontext.Decoder, element func(out []byte) ([]byte, error)) ([]byte, error) {
	begin, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	// In ASCII the end is two after the beginning.
	end := begin.Kind() + 2
	out = append(out, byte(begin.Kind()))
	for first := true; dec.PeekKind() != end; first = false {
		if !first {
			out = append(out, ',')
		}
		if out, err = element(out); err != nil {
			return nil, err
		}
	}
	_, err = dec.ReadToken()
	return append(out, byte(end)), err
}

func appendValue(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	raw, err := dec.ReadValue()
	return append(out, raw...), err
}

// listeners reads a batch of listeners.
func (w *worker) listeners(b *batch) *listeners {
	w.x.around = aroundListener
	defer func() { w.x.around = 0 }()
	count := len(b.ends)
	// Each has a txid of 64 digits: of a text with more, not all are listeners.
	most := min(count, len(b.text)/64)
	l := &listeners{
		// Of a signer's text a third is left without its spaces.
		text: make([]byte, 0, len(b.text)/2), count: count,
		fundings: make([]wire.OutPoint, 0, most), heights: make([]Heights, 0, most),
	}
	for i := range b.ends {
		if l.broken = w.x.readJSON(b.raw(i)); l.broken != nil {
			return l
		}
		if i > 0 {
			l.text = append(l.text, ',')
		}
		l.text = append(l.text, w.x.text...)
		l.inexact = l.inexact || w.x.odd && !allIntegers(w.x.text)
		if l.err != nil {
			// The tracker is lost. Only the text is kept: a hostile list of short values
			// would take sixty times its length.
			continue
		}
		d := &decoder{x: &w.x}
		funding, heights := readListener(node{d, 0})
		if d.err != nil {
			l.err = &fieldError{fmt.Sprintf("listeners[%d]%s", b.first+i, d.err.field), d.err.reason}
			l.fundings, l.heights = nil, nil
			continue
		}
		l.fundings, l.heights = append(l.fundings, funding), append(l.heights, heights)
	}
	return l
}

// join puts the listeners into their tracker's entry.
func (p *part) join(all []*listeners) {
	count := 0
	texts := make([][]byte, len(all))
	for i, l := range all {
		if l.broken != nil {
			*p = part{located: located{Entry: Entry{Key: p.Key}, position: p.position}, err: &fieldError{reason: l.broken.Error()}}
			return
		}
		texts[i] = l.text
		count += l.count
	}
	if p.err != nil || count == 0 {
		return
	}
	top := decodeText(p.Value)
	at := top.d.x.vals[top.object().get("listeners").at].start + 1
	p.Value = slices.Concat(p.Value[:at], bytes.Join(texts, []byte{','}), p.Value[at:])
	for _, l := range all {
		if l.inexact && p.note == "" {
			p.note = inexact
		}
	}
	if p.tracker == nil {
		return
	}
	if count > maxList {
		p.lostTracker(&fieldError{"listeners", fmt.Sprintf("more than %d elements", maxList)})
		return
	}
	for _, l := range all {
		if l.err != nil {
			p.lostTracker(l.err)
			return
		}
		for i, funding := range l.fundings {
			p.tracker.heights[funding] = l.heights[i]
		}
	}
}

func (p *part) lostTracker(err *fieldError) {
	p.tracker = nil
	p.lost(err)
}
