package vlsstate

import (
	"bytes"
	"math"
	"strings"

	"github.com/glrecover/glrecover/channel"
)

// dumpPrefixes maps the keys of a vlsd store (vls-persist kvv.rs) to the kinds
// of a Greenlight state; the values are the same, but for the allowlist.
var dumpPrefixes = []struct {
	prefix string
	kind   Kind
}{
	{"channel/", KindChannel},
	{"node/entry/", KindNode},
	{"node/state/", KindNodeState},
	{"node/tracker/", KindTracker},
	{"node/allowlist/", KindAllowlist},
}

// dumpDepth is how deep a value stands in a backup file, so that what is
// accepted here can be written there.
const dumpDepth = 4

// dumpLine reads "KEY = JSON @ VERSION", split at the first " = " and the last
// " @ ". ok is false where the line is no entry at all: vlsd logs to the same
// stream.
func dumpLine(line []byte) (key string, value, version []byte, ok bool) {
	name, rest, found := bytes.Cut(line, []byte(" = "))
	if !found {
		return "", nil, nil, false
	}
	for _, p := range dumpPrefixes {
		id, isKind := strings.CutPrefix(string(name), p.prefix)
		if !isKind {
			continue
		}
		// channel/NODE/CHANNEL is channels/NODECHANNEL.
		key = string(p.kind) + "/" + strings.Replace(id, "/", "", 1)
		at := bytes.LastIndex(rest, []byte(" @ "))
		if at < 0 {
			return key, nil, nil, true
		}
		return key, rest[:at], rest[at+3:], true
	}
	return "", nil, nil, false
}

// isDump reports whether a line of the text is an entry of a vlsd dump.
func isDump(text []byte) bool {
	for line := range bytes.Lines(text) {
		if _, _, _, ok := dumpLine(line); ok {
			return true
		}
	}
	return false
}

// parseDumpLine reads one entry of a dump. An empty value says that the key
// was deleted.
func parseDumpLine(key string, value, version []byte) (e Entry, note string, err *fieldError) {
	if version == nil {
		return e, "", &fieldError{reason: "the line does not end with a version; the dump is cut off or wrapped"}
	}
	if _, rest := splitKey(key); !isLowerHex(rest) {
		return e, "", &fieldError{reason: "the key is not lower-case hex"}
	}
	d := &decoder{}
	e = Entry{Key: key, Version: node{d: d, path: "version", raw: version}.uint(math.MaxUint64)}
	if d.err != nil || len(value) == 0 {
		return e, "", d.err
	}
	s := scanner{data: value}
	if s.value(dumpDepth) != nil || s.pos != len(value) {
		return e, "", &fieldError{reason: "the value is no JSON"}
	}
	canon, exact, canonErr := canonical(value)
	if canonErr != nil {
		return e, "", &fieldError{reason: canonErr.Error()}
	}
	e.Value = canon
	if e.Kind() == KindAllowlist {
		e.Value = plainAllowlist(canon)
	}
	if e.Version == TombstoneVersion && string(e.Value) != "null" {
		return e, "", &fieldError{reason: "the version of a deleted entry, but a value"}
	}
	if !exact {
		note = inexact
	}
	return e, note, nil
}

// plainAllowlist turns VLS's {"allowlist":[...]} into Greenlight's list.
func plainAllowlist(canon []byte) []byte {
	members, err := object(canon)
	if list, ok := members["allowlist"]; err == nil && ok && len(members) == 1 {
		return list
	}
	return canon
}

// dumpNode is the one node that the keys of a dump name, by its own entry or,
// without that, by its channels.
func dumpNode(list []located) (channel.PubKey, bool) {
	for _, kinds := range [][]Kind{{KindNode}, {KindNodeState, KindTracker, KindAllowlist, KindChannel}} {
		found := map[channel.PubKey]bool{}
		for i := range list {
			kind, rest := splitKey(list[i].Key)
			for _, k := range kinds {
				if k != kind || len(rest) < 2*channel.PubKeySize {
					continue
				}
				if id, reason := parsePubKey(rest[:2*channel.PubKeySize]); reason == "" {
					found[id] = true
				}
			}
		}
		for id := range found {
			return id, len(found) == 1
		}
	}
	return channel.PubKey{}, false
}
