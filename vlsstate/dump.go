package vlsstate

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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

// isDumpKey reports whether a text begins like the key of an entry.
func isDumpKey(text []byte) bool {
	for _, p := range dumpPrefixes {
		if bytes.HasPrefix(text, []byte(p.prefix)) {
			return true
		}
	}
	return false
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
	_, rest := splitKey(key)
	if _, ok := appendHex(nil, rest); !ok {
		return e, "", &fieldError{reason: "the key is not lower-case hex"}
	}
	e = Entry{Key: key}
	v, parseErr := strconv.ParseUint(string(version), 10, 64)
	if !allDigits(version) || parseErr != nil {
		return e, "", &fieldError{"version", "not an unsigned 64-bit integer"}
	}
	e.Version = v
	if len(value) == 0 {
		return e, "", nil
	}
	if c := value[0]; c <= ' ' || value[len(value)-1] <= ' ' || !jsontext.Value(value).IsValid(jsontext.AllowDuplicateNames(true)) {
		return e, "", &fieldError{reason: "the value is not JSON"}
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
		return e, "", &fieldError{reason: "has the version of a deleted entry, but also a value"}
	}
	if !exact {
		note = inexact
	}
	return e, note, nil
}

// plainAllowlist turns VLS's {"allowlist":[...]} into Greenlight's list.
func plainAllowlist(canon []byte) []byte {
	if canon[0] != '{' {
		return canon
	}
	o := decodeText(canon).object()
	if list := o.find("allowlist"); list != nil && len(o.members) == 1 {
		return bytes.Clone(o.d.x.raw(list.at))
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
