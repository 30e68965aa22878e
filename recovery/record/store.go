package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
)

// Store keeps entries by a path of names. lightningd's datastore is one, a
// directory another.
type Store interface {
	// Records are the entry of the key and those right below it.
	Records(ctx context.Context, key []string) ([]api.Record, error)
	// SaveRecord creates or replaces an entry, and returns when it is safe.
	SaveRecord(ctx context.Context, key []string, value string) error
	// DeleteRecord deletes an entry; one that is not there is no error.
	DeleteRecord(ctx context.Context, key []string) error
}

// Version changes when an older glrecover could misread an entry.
const Version = 2

// MaxEntry is the largest entry, in bytes.
const MaxEntry = 1 << 20

// The places of the entries.
var (
	root     = []string{"glrecover"}
	runKey   = []string{"glrecover", "run"}
	watchKey = []string{"glrecover", "watch"}
	channels = []string{"glrecover", "channel"}
)

func channelKey(k channel.Key) []string {
	return append(append([]string{}, channels...), fmt.Sprintf("%s-%d", k.Peer, k.DBID))
}

// versioned is what every entry begins with.
type versioned struct {
	Version int `json:"version"`
}

type runEntry struct {
	versioned
	model.Run
}

type channelEntry struct {
	versioned
	model.Record
}

type watchEntry struct {
	versioned
	Cursor chain.Cursor `json:"cursor"`
}

// Contents are all entries of a recovery.
type Contents struct {
	// Run is nil where there is none.
	Run      *model.Run
	Channels []model.Record
	// Cursor is nil where there is none.
	Cursor *chain.Cursor
}

// Book reads and writes the entries. It is used by one goroutine.
type Book struct {
	store Store
	// written is what the store has, as far as known.
	written map[string]string
	// old says that the run's entry is of an older version: it is written anew
	// before any other, so that no older glrecover reads half of what it knows.
	old bool
	run *model.Run
}

// Open makes a Book; Load reads it.
func Open(s Store) *Book { return &Book{store: s, written: map[string]string{}} }

// unreadable is a record that this glrecover must not act on.
func unreadable(found string, args ...any) *failure.Error {
	return failure.New(failure.RecordUnreadable,
		"Keep the node as it is: a newer glrecover may read it. Nothing is done until then, and openings are refused", found, args...)
}

// Load reads everything. Errors are the store's, or match failure.RecordUnreadable.
func (b *Book) Load(ctx context.Context) (*Contents, error) {
	list, err := b.store.Records(ctx, root)
	if err != nil {
		return nil, err
	}
	below, err := b.store.Records(ctx, channels)
	if err != nil {
		return nil, err
	}
	out := &Contents{}
	for _, r := range append(list, below...) {
		if len(r.Value) > 4*MaxEntry {
			return nil, unreadable("the record %v has %d bytes", r.Key, len(r.Value))
		}
		switch {
		case len(r.Key) == 2 && r.Key[1] == runKey[1]:
			err = b.readRun(r.Value, out)
		case len(r.Key) == 2 && r.Key[1] == watchKey[1]:
			b.readCursor(r.Value, out)
		case len(r.Key) == 3 && r.Key[1] == channels[1]:
			err = b.readChannel(r, out)
		}
		if err != nil {
			return nil, err
		}
	}
	if out.Run == nil {
		out.Cursor = nil
	}
	b.run = out.Run
	return out, nil
}

func version(raw string) (int, error) {
	var v versioned
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		return 0, err
	}
	return v.Version, nil
}

func (b *Book) readRun(raw string, out *Contents) error {
	v, err := version(raw)
	if err != nil {
		return unreadable("the record of the recovery is damaged").Wrap(err)
	}
	switch v {
	case 1:
		b.old = true
		out.Run, err = runOfV1(raw)
	case Version:
		var e runEntry
		err = json.Unmarshal([]byte(raw), &e)
		out.Run = &e.Run
		b.note(runKey, raw)
	default:
		return unreadable("the record of the recovery has version %d, this glrecover knows %d", v, Version)
	}
	if err != nil {
		return unreadable("the record of the recovery is damaged").Wrap(err)
	}
	return nil
}

// readCursor reads how far the chain was looked at. Without it the Watcher looks
// again.
func (b *Book) readCursor(raw string, out *Contents) {
	var e watchEntry
	if json.Unmarshal([]byte(raw), &e) == nil && e.Version == Version {
		out.Cursor = &e.Cursor
	}
}

func (b *Book) readChannel(r api.Record, out *Contents) error {
	damaged := func(err error) error {
		return unreadable("the record of channel %s is damaged", r.Key[2]).Wrap(err)
	}
	v, err := version(r.Value)
	if err != nil {
		return damaged(err)
	}
	switch v {
	case 0, 1: // version 1 had none in its channels
		c, err := channelOfV1(r.Value)
		if err != nil {
			return damaged(err)
		}
		out.Channels = append(out.Channels, *c)
	case Version:
		var e channelEntry
		if err := json.Unmarshal([]byte(r.Value), &e); err != nil {
			return damaged(err)
		}
		if e.State == "" {
			return damaged(errors.New("it has no state"))
		}
		out.Channels = append(out.Channels, e.Record)
		b.note(r.Key, r.Value)
	default:
		return unreadable("the record of channel %s has version %d, this glrecover knows %d", r.Key[2], v, Version)
	}
	return nil
}

func pathOf(key []string) string { return fmt.Sprint(key) }

func (b *Book) note(key []string, value string) { b.written[pathOf(key)] = value }

// Write carries out a Save, the Watcher's cursor last: what it has passed is on
// record then. After an error nothing is known of what was written.
func (b *Book) Write(ctx context.Context, s model.Save) error {
	if s.Run != nil {
		b.run = s.Run
	}
	if b.run != nil && (s.Run != nil || b.old) && !s.DropRun {
		if err := b.put(ctx, runKey, runEntry{versioned{Version}, *b.run}); err != nil {
			return err
		}
		b.old = false
	}
	for i := range s.Channels {
		c := &s.Channels[i]
		if err := b.putChannel(ctx, c); err != nil {
			return err
		}
	}
	for _, k := range s.Deleted {
		if err := b.drop(ctx, channelKey(k)); err != nil {
			return err
		}
	}
	if s.DropRun {
		if err := b.drop(ctx, watchKey); err != nil {
			return err
		}
		b.run = nil
		return b.drop(ctx, runKey)
	}
	if s.Cursor != nil {
		return b.put(ctx, watchKey, watchEntry{versioned{Version}, *s.Cursor})
	}
	return nil
}

// putChannel writes a channel. Where its outputs' sightings make it too large
// they are left out: they are looked for again at the next start.
func (b *Book) putChannel(ctx context.Context, c *model.Record) error {
	err := b.put(ctx, channelKey(c.Channel.Key), channelEntry{versioned{Version}, *c})
	if !errors.Is(err, errTooLarge) {
		return err
	}
	short := *c
	short.Seen = nil
	for _, s := range c.Seen {
		if s.OutPoint == c.Channel.Funding.String() {
			short.Seen = append(short.Seen, s)
		}
	}
	return b.put(ctx, channelKey(c.Channel.Key), channelEntry{versioned{Version}, short})
}

var errTooLarge = errors.New("record: entry too large")

// put writes an entry that has changed.
func (b *Book) put(ctx context.Context, key []string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if len(raw) > MaxEntry {
		return fmt.Errorf("%w: %v has %d bytes", errTooLarge, key, len(raw))
	}
	path, value := pathOf(key), string(raw)
	if b.written[path] == value {
		return nil
	}
	delete(b.written, path)
	if err := b.store.SaveRecord(ctx, key, value); err != nil {
		return err
	}
	b.written[path] = value
	return nil
}

func (b *Book) drop(ctx context.Context, key []string) error {
	delete(b.written, pathOf(key))
	return b.store.DeleteRecord(ctx, key)
}
