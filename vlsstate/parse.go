package vlsstate

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

const doUseBackup = "Give the file that `glcli signer run --backup-path` wrote"

// envelope is a backup file but for its entries.
type envelope struct {
	// members are the top level's values, as far as version 1 has them and they
	// are small.
	members map[string][]byte
	// names are all of the top level, and how often; state those of "state".
	names, state map[string]int
	// values says that state.values is an object, wrapped that a string somewhere
	// holds a backup.
	values, wrapped bool
	parts           []*part
}

// Bounds of what stands around the entries; genuine files have a handful of
// short fields there.
const (
	maxField  = 1 << 16
	maxFields = 1 << 10
)

// readEnvelope reads one JSON object as it comes in, the entries in
// state.values on every core. An error is a complaint of jsontext.
func readEnvelope(dec *jsontext.Decoder) (*envelope, error) {
	e := &envelope{members: map[string][]byte{}, names: map[string]int{}, state: map[string]int{}}
	err := eachMember(dec, func(name string) error {
		if len(e.names) < maxFields {
			e.names[name]++
		}
		switch {
		case name == "state" && e.names[name] == 1 && dec.PeekKind() == '{':
			return eachMember(dec, func(name string) error {
				if len(e.state) < maxFields {
					e.state[name]++
				}
				if name == "values" && e.state[name] == 1 && dec.PeekKind() == '{' {
					e.values = true
					return e.readValues(dec)
				}
				return dec.SkipValue()
			})
		case name == "values" && e.names[name] == 1 && dec.PeekKind() == '{':
			// The bare state of ParseState.
			return e.readValues(dec)
		case dec.PeekKind() == '{' && name != "strategy" || dec.PeekKind() == '[':
			return dec.SkipValue()
		}
		raw, err := dec.ReadValue()
		if err == nil && len(raw) <= maxField && len(e.members) < maxFields {
			e.members[name] = bytes.Clone(raw)
		}
		if err == nil && name == "version" && e.names[name] == 1 {
			// A later version may look quite different after it.
			return checkVersion(raw)
		}
		return err
	})
	return e, err
}

// eachMember calls f with the name of each member of the object that comes next;
// f reads the value.
func eachMember(dec *jsontext.Decoder, f func(name string) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := f(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// readValues reads the entries.
func (e *envelope) readValues(dec *jsontext.Decoder) error {
	p := newPipeline()
	err := eachMember(dec, func(name string) error {
		if kind, _ := splitKey(name); kind == KindTracker {
			return p.addTracker(name, dec)
		}
		raw, err := dec.ReadValue()
		if err == nil {
			p.add(name, raw)
		}
		return err
	})
	e.parts = p.close()
	return err
}

// fieldNote remarks on a field around the entries.
func (b *Backup) fieldNote(name, reason string) {
	b.Problems = append(b.Problems, &EntryError{Kind: KindFile, Field: name, Reason: reason, Effect: Noted})
}

// unknown names the fields that version 1 does not have.
func (e *envelope) unknown() string {
	var names []string
	for name := range e.names {
		if !slices.Contains([]string{"version", "created_at", "node_id", "strategy", "state"}, name) {
			names = append(names, shown(name))
		}
	}
	for name := range e.state {
		if name != "values" {
			names = append(names, shown("state."+name))
		}
	}
	slices.Sort(names)
	const most = 5
	more := ""
	if extra := len(names) - most; extra > 0 {
		names, more = names[:most], fmt.Sprintf(" and %d more", extra)
	}
	return fmt.Sprintf("version 1 does not have the field %s%s: another program has changed the file; take the field out, or use the original",
		strings.Join(names, ", "), more)
}

// shown is a name of a member as it may be printed: a name, and no text that
// somebody put in its place.
func shown(name string) string {
	for _, c := range []byte(name) {
		if !isDigit(c) && (c < 'a' || c > 'z') && c != '_' && c != '.' && c != '-' && c != '/' {
			return "(a name that is not printed)"
		}
	}
	if len(name) > 40 {
		return "(a long name)"
	}
	return name
}

// shownKey is the key of an entry of a kind that is not known.
func shownKey(key string) string {
	const most = 40
	if len(key) > most {
		return shown(key[:most]) + ".."
	}
	return shown(key)
}

func checkVersion(raw []byte) error {
	n := decodeText(raw)
	version := n.uint(math.MaxUint32)
	if n.d.err != nil {
		return notABackup("field version is %s", n.d.err.reason)
	}
	if version != Version {
		return failure.New(failure.UnsupportedVersion, "Use a newer glrecover",
			"the backup has version %d, this program reads version %d", version, Version)
	}
	return nil
}

// backup makes the backup of an envelope.
func (e *envelope) backup() (*Backup, error) {
	if e.names["version"] == 0 && e.wrapped {
		return nil, failure.New(failure.NotABackup, doSalvage, "this is a signer backup inside a JSON string of another file")
	}
	if e.names["version"] == 0 {
		return nil, failure.New(failure.NotABackup, doUseBackup, "%s", otherJSON(e.names))
	}
	b := &Backup{}
	d := &decoder{}
	for _, level := range []map[string]int{e.names, e.state} {
		for _, n := range level {
			if n > 1 {
				return nil, notABackup("around the entries %s", errSameName)
			}
		}
	}
	// text is a field with a decoder of its own; the first complaint counts.
	text := func(name string, read func(node)) {
		raw, ok := e.members[name]
		switch {
		case d.err != nil:
			return
		case !ok && e.names[name] == 0:
			d.fail(name, "missing")
			return
		case !ok:
			d.fail(name, "not what a backup has there")
			return
		}
		n := decodeText(raw)
		read(n)
		if err := n.d.err; err != nil {
			d.fail(name+strings.TrimSuffix("."+err.field, "."), "%s", err.reason)
		}
	}
	// spare is a field that no recovery needs.
	spare := func(name string, read func(node)) {
		if n := decodeText(e.members[name]); e.members[name] == nil || n.d.err != nil {
			n.d.fail("", "missing, or longer than any")
			b.fieldNote(name, n.d.err.reason)
		} else if read(n); n.d.err != nil {
			b.fieldNote(name, n.d.err.reason)
		}
	}
	spare("created_at", func(n node) {
		at, err := time.Parse(time.RFC3339, n.str())
		switch {
		case n.d.err != nil:
		case err != nil || at.Unix() <= 0 || at.UTC().Year() > 9999:
			n.fail("not an RFC 3339 time after 1970: the age of this backup is unknown")
		default:
			b.CreatedAt = at.UTC()
		}
	})
	text("node_id", func(n node) { b.NodeID = n.pubKey() })
	spare("strategy", func(n node) {
		if s := parseStrategy(n); n.d.err == nil {
			b.Strategy = s
		} else {
			b.Strategy = Strategy{Kind: UnknownStrategy}
		}
	})
	unknown := len(e.names) - 5
	for _, name := range []string{"version", "created_at", "node_id", "strategy", "state"} {
		if e.names[name] == 0 {
			unknown++
		}
	}
	switch {
	case d.err != nil:
	case e.names["state"] == 0:
		d.fail("state", "missing")
	case len(e.state) == 0 && !e.values:
		d.fail("state", "not an object with values")
	case e.state["values"] == 0:
		d.fail("state.values", "missing")
	case !e.values:
		d.fail("state.values", "not an object")
	case unknown+len(e.state)-1 > 0:
		d.fail("", "%s", e.unknown())
	}
	if d.err != nil {
		return nil, badEnvelope(d.err)
	}
	once(e.parts)
	if err := b.assemble(e.parts); err != nil {
		return nil, err
	}
	return b, nil
}

func badEnvelope(err *fieldError) error {
	if err.field == "" {
		return notABackup("%s", err.reason)
	}
	return notABackup("field %s: %s", err.field, err.reason)
}

func parseStrategy(n node) (s Strategy) {
	if n.d.err != nil {
		return s
	}
	if raw := n.raw(); len(raw) > 0 && raw[0] == '"' {
		switch n.str() {
		case "never":
			return Strategy{Kind: Never}
		case "new_channels_only":
			return Strategy{Kind: NewChannelsOnly}
		}
		n.fail("not a known strategy")
		return s
	}
	top := n.object()
	periodic := top.get("periodic").object()
	updates := periodic.get("updates")
	s = Strategy{Kind: Periodic, Updates: uint32(updates.uint(math.MaxUint32))}
	if n.d.err == nil && s.Updates == 0 {
		updates.fail("must be at least 1")
	}
	if n.d.err == nil && top.left()+periodic.left() > 0 {
		n.fail("not a known strategy")
	}
	return s
}

// located is a well-formed entry with its place in the input.
type located struct {
	Entry
	position int
	note     string
}

// load reads the values of well-formed entries, each key once, in the input's
// order, and keeps the entries.
func (b *Backup) load(list []located) error { return b.assemble(readAgain(list)) }

// finish checks what is joined, and puts the complaints in order.
func (b *Backup) finish() error {
	b.readMarks()
	if err := b.checkNode(); err != nil {
		return err
	}
	slices.SortStableFunc(b.Problems, func(x, y *EntryError) int { return cmp.Compare(x.Position, y.Position) })
	return nil
}

func (b *Backup) makeMaps() {
	b.Peers = make(map[channel.PubKey]Peer)
	b.Heights = make(map[wire.OutPoint]Heights)
}

// checkNode refuses a foreign key derivation and remarks on a missing node.
func (b *Backup) checkNode() error {
	if b.KeyDerivationStyle == 0 {
		for _, p := range b.Problems {
			if p.Kind == KindNode {
				return nil
			}
		}
		b.Problems = append(b.Problems, &EntryError{
			Kind:   KindNode,
			Reason: "missing: network and key derivation are unknown",
			Effect: EntryLost,
		})
		return nil
	}
	if b.KeyDerivationStyle != NativeKeyDerivation {
		return failure.New(failure.UnsupportedKeyDerivation,
			"These channels cannot be recovered with Core Lightning",
			"the signer derives its keys by style %d, Core Lightning's own is style %d",
			b.KeyDerivationStyle, NativeKeyDerivation)
	}
	return nil
}
