package vlsstate

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// Salvaged is what came out of a damaged or wrapped copy.
type Salvaged struct {
	*Backup
	// Form says how the text was wrapped, "" for not at all.
	Form string
	// Saved counts the entries that were saved, Truncated says that the text ends
	// within an entry or after one: what stood after it is gone without a trace.
	Saved     int
	Truncated bool
	// Lost are the entries that are not saved.
	Lost []*EntryError
}

// MaxSalvage is the largest text that Salvage takes, in bytes: unlike Read it
// needs all of it in memory.
const MaxSalvage = 1 << 30

// Salvage saves what can still be read of a damaged or wrapped backup: a text
// that was cut off, that is UTF-16 or has zeros or other text around it, a JSON
// string that holds the JSON, a mail that quotes it, a bit that flipped. Every
// entry stands or falls by itself. holds says whether an entry's signature holds;
// where it is nil, an entry that reads well is saved, though a bit in it may have
// flipped. What is not found of the envelope is left empty; the node id follows
// from the entries.
//
// The error has the name not_a_backup where no entry can be saved,
// backup_too_large for more than MaxSalvage bytes.
func Salvage(data []byte, holds func(*Entry) bool) (*Salvaged, error) {
	if len(data) > MaxSalvage {
		return nil, failure.New(failure.BackupTooLarge, doUseBackup, "the input is larger than 1 GiB, the limit for --salvage")
	}
	text, form := plainText(data)
	const mostQuoted = 3
	for range mostQuoted {
		inner, ok := unwrapped(text)
		if !ok {
			break
		}
		text = inner
		if !strings.Contains(form, "a JSON string") {
			form = strings.TrimPrefix(form+" and a JSON string", " and ")
		}
	}
	s, err := salvage(text, holds)
	if plain := unformatted(text); err != nil && !bytes.Equal(plain, text) {
		form = strings.TrimPrefix(form+" and formatted text", " and ")
		s, err = salvage(plain, holds)
	}
	if err != nil {
		return nil, err
	}
	s.Form = form
	return s, nil
}

// salvage reads the entries of a text.
func salvage(text []byte, holds func(*Entry) bool) (*Salvaged, error) {
	s := &Salvaged{Backup: &Backup{}}
	parts := s.entries(text)
	if len(parts) == 0 {
		return nil, failure.New(failure.NotABackup, doUseBackup, "nothing of a signer backup can be read in this file")
	}
	s.envelope(text, parts)
	if s.NodeID.IsZero() {
		return nil, failure.New(failure.NotABackup, doUseBackup, "the readable entries do not belong to exactly one node")
	}
	m := newMerger()
	for _, p := range parts {
		if why := s.verdict(p, holds); why != nil {
			s.gone(p, why)
			continue
		}
		m.add(p.located)
	}
	s.Saved = len(m.list)
	if s.Saved == 0 {
		return nil, failure.New(failure.NotABackup, doUseBackup, "no entry of this signer backup can be saved: %s, the first one: %s",
			counted(len(s.Lost), "entry is gone", "entries are gone"), s.Lost[0].Reason)
	}
	if err := s.load(m.list); err != nil {
		return nil, err
	}
	m.remark(s.Backup)
	return s, nil
}

// formatting is what programs that format text put into it; no backup has any of
// it.
var formatting = strings.NewReplacer(
	"\u00a0", " ", "\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "&quot;", `"`, "&#34;", `"`,
	"\n> ", "\n", "\n>", "\n",
)

// unformatted takes the formatting out of a text.
func unformatted(text []byte) []byte { return []byte(formatting.Replace(string(text))) }

func (s *Salvaged) gone(p *part, why *fieldError) {
	x := problemAt(p.Key, p.position)
	x.Field, x.Reason, x.Effect = why.field, why.reason, EntryLost
	s.Lost = append(s.Lost, &x)
}

// verdict is why an entry is not saved, nil where it is.
func (s *Salvaged) verdict(p *part, holds func(*Entry) bool) *fieldError {
	switch {
	case p.err != nil:
		return p.err
	case !p.node.IsZero() && p.node != s.NodeID:
		return &fieldError{reason: "the entry is of another node, or its key was damaged"}
	case holds != nil && !holds(&p.Entry):
		return &fieldError{reason: "its signature is invalid: something in it was changed"}
	}
	for _, x := range p.problems {
		if x.Effect == EntryLost {
			return &fieldError{x.Field, x.Reason}
		}
	}
	return nil
}

// kinds are those of the entries that are saved.
var kinds = []Kind{KindNode, KindNodeState, KindAllowlist, KindTracker, KindPeer, KindChannel, KindSplice, KindOlder}

// nextKey finds the next entry's key in a text: from its quotation mark to the
// end of the colon. Nothing but an entry's key has a slash, as a rule.
func nextKey(text []byte) (from, to int, key string, ok bool) {
	const longest = 400
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '/')
		if i < 0 {
			return 0, 0, "", false
		}
		slash := at + i
		at = slash + 1
		from := bytes.LastIndexByte(text[max(0, slash-longest):slash], '"')
		if from < 0 {
			continue
		}
		from += max(0, slash-longest)
		if !slices.Contains(kinds, Kind(text[from+1:slash])) {
			continue
		}
		end := slash + 1
		for end < len(text) && end-slash <= longest && isHexDigit(text[end]) {
			end++
		}
		if end == slash+1 || end == len(text) || text[end] != '"' {
			continue
		}
		to := end + 1
		for to < len(text) && bytes.IndexByte([]byte(" \t\r\n"), text[to]) >= 0 {
			to++
		}
		if to == len(text) || text[to] != ':' {
			continue
		}
		return from, to + 1, string(text[from+1 : end]), true
	}
}

// hasKey reports whether a text has an entry's key.
func hasKey(text []byte) bool {
	_, _, _, ok := nextKey(text)
	return ok
}

// entryValue is how an entry's value begins: behind a key that is damaged, or of
// a kind that is not known, it is all that shows the entry.
var entryValue = regexp.MustCompile(`:\s*\[\s*[0-9]+\s*,\s*[\[{]`)

// entries finds all entries, wherever they stand. What cannot be read is a part
// with an error.
func (s *Salvaged) entries(text []byte) []*part {
	var (
		parts []*part
		w     worker
	)
	dec := jsontext.NewDecoder(bytes.NewReader(nil))
	damaged := func(key, reason string) {
		parts = append(parts, &part{located: located{Entry: Entry{Key: key}, position: len(parts) + 1}, err: &fieldError{reason: reason}})
	}
	// between looks at what stands around the entries.
	between := func(gap []byte) {
		if entryValue.Match(gap) {
			damaged("", "its key is damaged, or of an unknown kind")
		}
	}
	at, whole := 0, false
	from, to, key, ok := nextKey(text)
	for ; ok; from, to, key, ok = nextKey(text[at:]) {
		between(text[at : at+from])
		at += to
		end := len(text)
		if next, _, _, ok := nextKey(text[at:]); ok {
			// A broken entry ends where the next one begins, so that each byte is
			// read once.
			end = at + next
		}
		dec.Reset(bytes.NewReader(text[at:end]), jsontext.AllowDuplicateNames(true))
		raw, err := dec.ReadValue()
		if err != nil {
			cut := errors.Is(jsonError(err, 0), errTruncated) && end == len(text)
			s.Truncated = s.Truncated || cut
			reason := "it is damaged"
			if cut {
				reason = "the text ends within it"
			}
			damaged(key, reason)
			at, whole = end, false
			continue
		}
		parts = append(parts, w.read(key, len(parts)+1, raw))
		at, whole = at+int(dec.InputOffset()), true
	}
	between(text[at:])
	if whole && !bytes.ContainsRune(text[at:], '}') {
		s.Truncated = true // nothing was closed after the last entry
	}
	return parts
}

var (
	createdAt    = regexp.MustCompile(`"created_at"\s*:\s*("[^"]{1,40}")`)
	nodeID       = regexp.MustCompile(`"node_id"\s*:\s*"([0-9a-f]{66})"`)
	strategyText = regexp.MustCompile(`"strategy"\s*:\s*("[a-z_]{1,40}"|\{[^{}]{1,100}\{[^{}]{1,100}\}\s*\})`)
)

// envelope reads what is left of what stands around the entries.
func (s *Salvaged) envelope(text []byte, parts []*part) {
	if m := createdAt.FindSubmatch(text); m != nil {
		if at, err := time.Parse(time.RFC3339, unquote(m[1])); err == nil && at.Unix() > 0 && at.Year() < 9999 {
			s.CreatedAt = at.UTC()
		}
	}
	s.Strategy = Strategy{Kind: UnknownStrategy}
	if m := strategyText.FindSubmatch(text); m != nil {
		n := decodeText(m[1])
		if strategy := parseStrategy(n); n.d.err == nil {
			s.Strategy = strategy
		}
	}
	// The node that most entries are of: one of them may have a damaged key.
	count := map[channel.PubKey]int{}
	for _, p := range parts {
		if !p.node.IsZero() {
			count[p.node]++
		}
	}
	if m := nodeID.FindSubmatch(text); m != nil {
		if id, reason := parsePubKey(m[1]); reason == "" {
			count[id]++
		}
	}
	most := 0
	for id, n := range count {
		switch {
		case n > most:
			s.NodeID, most = id, n
		case n == most:
			s.NodeID = channel.PubKey{}
		}
	}
}

// plainText is the text in UTF-8 and without what editors and file systems put
// around it; form says what it was.
func plainText(data []byte) (text []byte, form string) {
	if trimmed := bytes.TrimRight(data, "\x00"); len(data)-len(trimmed) > 1 {
		data, form = trimmed, "a file with zeros at its end"
	}
	switch {
	case bytes.HasPrefix(data, []byte(mark)):
		return data[len(mark):], form
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")):
		return fromUTF32(data[4:], binary.LittleEndian), "UTF-32 text"
	case bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		return fromUTF32(data[4:], binary.BigEndian), "UTF-32 text"
	case len(data) > 3 && data[0] != 0 && data[1] == 0 && data[2] == 0 && data[3] == 0:
		return fromUTF32(data, binary.LittleEndian), "UTF-32 text"
	case len(data) > 3 && data[0] == 0 && data[1] == 0 && data[2] == 0 && data[3] != 0:
		return fromUTF32(data, binary.BigEndian), "UTF-32 text"
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], false), "UTF-16 text"
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], true), "UTF-16 text"
	case len(data) > 3 && data[0] != 0 && data[1] == 0 && data[3] == 0:
		return fromUTF16(data, false), "UTF-16 text"
	case len(data) > 3 && data[0] == 0 && data[1] != 0 && data[2] == 0:
		return fromUTF16(data, true), "UTF-16 text"
	}
	if decoded := fromBase64(data); bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{")) {
		return decoded, "base64 text"
	}
	return data, form
}

// leastBase64 is how many bytes text must hold to be taken for base64: a word is
// base64 too.
const leastBase64 = 64

// fromBase64 decodes text that is base64 and nothing else, as far as it is whole;
// nil for other text.
func fromBase64(text []byte) []byte {
	digits := make([]byte, 0, len(text))
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n', '=':
		case '-':
			digits = append(digits, '+')
		case '_':
			digits = append(digits, '/')
		default:
			digits = append(digits, c)
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, err := base64.RawStdEncoding.Decode(out, digits[:len(digits)-len(digits)%4])
	if err != nil || n == 0 {
		return nil
	}
	if rest := digits[len(digits)-len(digits)%4:]; len(rest) > 1 {
		if more, err := base64.RawStdEncoding.Decode(out[n:], rest); err == nil {
			n += more
		}
	}
	return out[:n]
}

func fromUTF32(data []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(data)/4+1)
	for ; len(data) >= 4; data = data[4:] {
		if unit := order.Uint32(data); unit <= utf8.MaxRune {
			out = utf8.AppendRune(out, rune(unit))
		} else {
			out = utf8.AppendRune(out, utf8.RuneError)
		}
	}
	return out
}

func fromUTF16(data []byte, bigEndian bool) []byte {
	out := make([]byte, 0, len(data)/2+1)
	var lead rune
	for i := 0; i+1 < len(data); i += 2 {
		unit := rune(data[i]) | rune(data[i+1])<<8
		if bigEndian {
			unit = rune(data[i])<<8 | rune(data[i+1])
		}
		switch {
		case utf16.IsSurrogate(unit) && lead == 0:
			lead = unit
			continue
		case lead != 0:
			out = utf8.AppendRune(out, utf16.DecodeRune(lead, unit))
			lead = 0
			continue
		}
		out = utf8.AppendRune(out, unit)
	}
	return out
}

// unwrapped takes a backup out of a JSON string that holds it, whole or cut off.
func unwrapped(text []byte) ([]byte, bool) {
	begin := bytes.Index(text, []byte(`\"created_at\"`))
	if key := bytes.Index(text, []byte(`channels/`)); begin < 0 && key > 1 && text[key-1] == '"' && text[key-2] == '\\' {
		begin = key
	}
	if begin < 0 || hasKey(text) {
		return nil, false
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, text[i])
		}
	}
	return out, true
}

// Summary says in one line what could be read.
func (s *Salvaged) Summary() string {
	text := fmt.Sprintf("readable: %s, of which %s", counted(s.Saved, "entry", "entries"), counted(len(s.Channels), "is a channel", "are channels"))
	if s.Form != "" {
		text += ", from " + s.Form
	}
	switch {
	case s.Truncated:
		text += "; the text is cut off, and the rest is gone"
	case len(s.Lost) == 0:
		text += "; nothing seems to be missing"
	}
	if n := len(s.Lost); n > 0 {
		text += "; " + counted(n, "entry is", "entries are") + " gone"
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
