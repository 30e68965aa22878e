package vlsstate

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

const doUseBackup = "Give the file that `glcli signer run --backup-path` wrote"

// Parse reads one signer backup of version 1. A failure of the whole file is a
// *failure.Error with the name backup_too_large, not_a_backup,
// unsupported_version or unsupported_key_derivation; bad entries are in
// Backup.Problems.
func Parse(data []byte) (*Backup, error) {
	if len(data) > MaxSize {
		return nil, tooLarge()
	}
	if err := checkJSON(data); err != nil {
		return nil, notJSON(data, err)
	}
	text := bytes.TrimSpace(data)
	if text[0] == '[' {
		return nil, notABackup("it is a JSON list, perhaps the output of Greenlight's inspection")
	}
	d := &decoder{}
	top := node{d: d, raw: text}.object()
	if d.err != nil {
		return nil, notABackup("the top level is %s", d.err.reason)
	}
	if _, ok := top.members["version"]; !ok {
		return nil, failure.New(failure.NotABackup, doUseBackup, "%s", otherJSON(top.members))
	}
	version := top.get("version").uint(math.MaxUint32)
	if d.err != nil {
		return nil, notABackup("field version is %s", d.err.reason)
	}
	if version != Version {
		return nil, failure.New(failure.UnsupportedVersion, "Use a newer glrecover",
			"the backup has version %d, this program reads version %d", version, Version)
	}
	return parseEnvelope(top)
}

func parseEnvelope(top *objectNode) (*Backup, error) {
	d := top.d
	b := &Backup{}
	created := top.get("created_at").str()
	b.NodeID = top.get("node_id").pubKey()
	b.Strategy = parseStrategy(top.get("strategy"))
	state := top.get("state").object()
	if d.err == nil {
		at, err := time.Parse(time.RFC3339, created)
		b.CreatedAt = at.UTC()
		if err != nil || b.CreatedAt.Unix() <= 0 || b.CreatedAt.Year() > 9999 {
			d.fail("created_at", "not an RFC 3339 time after 1970")
		}
	}
	values := state.get("values")
	if d.err == nil && len(top.members)+len(state.members) > 0 {
		d.fail("", "it has %d fields that version 1 does not have", len(top.members)+len(state.members))
	}
	if d.err != nil {
		return nil, badEnvelope(d.err)
	}
	if err := b.readValues(values); err != nil {
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

// ParseState reads the bare state {"values":{...}} that the node side of
// Greenlight stores for its signer. It has no creation time and no strategy;
// the node id is that of its nodes/ entry. Failures are those of Parse.
func ParseState(data []byte) (*Backup, error) {
	if len(data) > MaxSize {
		return nil, tooLarge()
	}
	if err := checkJSON(data); err != nil {
		return nil, notJSON(data, err)
	}
	d := &decoder{}
	top := node{d: d, raw: bytes.TrimSpace(data)}.object()
	values := top.get("values")
	if d.err == nil && len(top.members) > 0 {
		d.fail("", "it has %d fields that a signer state does not have", len(top.members))
	}
	if d.err != nil {
		return nil, badEnvelope(d.err)
	}
	members, err := objectMembers(values.raw)
	if err != nil {
		return nil, notABackup("field values: %v", err)
	}
	b := &Backup{Source: FromState}
	for _, m := range members {
		kind, rest := splitKey(m.name)
		if kind != KindNode {
			continue
		}
		id, reason := parsePubKey(rest)
		if reason != "" || !b.NodeID.IsZero() {
			return nil, notABackup("its nodes/ entries do not name exactly one node")
		}
		b.NodeID = id
	}
	if b.NodeID.IsZero() {
		return nil, notABackup("its nodes/ entries do not name exactly one node")
	}
	if err := b.readValues(values); err != nil {
		return nil, err
	}
	return b, nil
}

func parseStrategy(n node) (s Strategy) {
	if n.d.err != nil {
		return s
	}
	if len(n.raw) > 0 && n.raw[0] == '"' {
		switch n.str() {
		case "never":
			return Strategy{Kind: Never}
		case "new_channels_only":
			return Strategy{Kind: NewChannelsOnly}
		}
		n.fail("no known strategy")
		return s
	}
	top := n.object()
	periodic := top.get("periodic").object()
	updates := periodic.get("updates")
	s = Strategy{Kind: Periodic, Updates: uint32(updates.uint(math.MaxUint32))}
	if n.d.err == nil && s.Updates == 0 {
		updates.fail("must be at least 1")
	}
	if n.d.err == nil && len(top.members)+len(periodic.members) > 0 {
		n.fail("no known strategy")
	}
	return s
}

// readValues reads every entry of state.values.
func (b *Backup) readValues(values node) error {
	members, err := objectMembers(values.raw)
	switch {
	case errors.Is(err, errKind):
		return notABackup("field state.values is not an object")
	case err != nil:
		return notABackup("field state.values: %v", err)
	}
	count := make(map[string]int, len(members))
	for _, m := range members {
		count[m.name]++
	}
	var list []located
	for i, m := range members {
		r := entryReader{b: b, problem: problemAt(m.name, i+1)}
		if count[m.name] > 1 {
			r.lost(&fieldError{reason: "the file has this entry more than once"})
			continue
		}
		entry, note, err := parseEntry(m.name, m.raw)
		if err != nil {
			r.lost(err)
			continue
		}
		list = append(list, located{Entry: entry, position: i + 1, note: note})
	}
	return b.load(list)
}

// located is a well-formed entry with its place in the input.
type located struct {
	Entry
	position int
	note     string
}

// load reads the values of well-formed entries, each key once, in the input's
// order, and keeps the entries.
func (b *Backup) load(list []located) error {
	b.makeMaps()
	for i := range list {
		e := &list[i]
		r := entryReader{b: b, problem: problemAt(e.Key, e.position)}
		before := len(b.Problems)
		if !e.Tombstone() {
			r.read(&e.Entry)
		}
		if e.note != "" && len(b.Problems) == before {
			r.note(e.note)
		}
		b.Entries = append(b.Entries, e.Entry)
	}
	sortEntries(b.Entries)
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
