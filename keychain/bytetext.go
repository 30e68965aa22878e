package keychain

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// cleanText is raw as text: UTF-16 becomes UTF-8, and characters that nobody
// sees (a byte order mark, zero-width spaces and joiners) are dropped, with the
// space and the quotation marks around the whole. What is no text stays as it is.
func cleanText(raw []byte) []byte {
	text := fromUTF16(raw)
	if text == nil {
		text = bytes.Clone(raw)
	}
	if !utf8.Valid(text) {
		return text
	}
	// In place: nothing is ever longer than before.
	clean := text[:0]
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		if !unicode.Is(unicode.Cf, r) {
			clean = utf8.AppendRune(clean, r)
		}
	}
	clear(text[len(clean):])
	return bytes.TrimFunc(clean, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '\'' || r == '`' || unicode.Is(unicode.Pi, r) || unicode.Is(unicode.Pf, r)
	})
}

// fromUTF16 turns text in UTF-16 with its byte order mark into UTF-8; nil where
// it is none.
func fromUTF16(raw []byte) []byte {
	if len(raw) < 4 || len(raw)%2 != 0 {
		return nil
	}
	high := 0
	switch {
	case raw[0] == 0xff && raw[1] == 0xfe:
		high = 1
	case raw[0] != 0xfe || raw[1] != 0xff:
		return nil
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 2; i < len(raw); i += 2 {
		units = append(units, uint16(raw[i+high])<<8|uint16(raw[i+1-high]))
	}
	defer clear(units)
	runes := utf16.Decode(units)
	defer clear(runes)
	out := make([]byte, 0, utf8.UTFMax*len(runes))
	for _, r := range runes {
		if r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
			clear(out)
			return nil
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// byteText reads bytes that somebody keeps as text: hex in any grouping, the
// output of xxd, hexdump and od, base64, escapes as a programming language
// prints them, or a list of numbers. The result is nil where it is none of them.
func byteText(text []byte) (Kind, []byte) {
	for _, form := range []struct {
		kind Kind
		read func([]byte) []byte
	}{
		{HexDump, readDump},
		{Numbers, readNumbers},
		{Hex, readHex},
		{Base64, readBase64},
		{Escaped, readEscaped},
	} {
		if data := form.read(text); data != nil {
			return form.kind, data
		}
	}
	// "hsm_secret: 5eb0..." or {"hsm_secret": "5eb0..."}: what it is called may
	// stand before it.
	if at := bytes.IndexAny(text, ":="); at > 0 && !bytes.ContainsFunc(bytes.Trim(text[:at], "{\"' \t\r\n"), notLabel) {
		return byteText(bytes.Trim(text[at+1:], "}\"' \t\r\n"))
	}
	return 0, nil
}

func notLabel(r rune) bool { return !unicode.IsLetter(r) && r != '_' && r != ' ' }

// readHex reads hex digits with spaces, line breaks, colons, commas or hyphens
// between them, and 0x before the whole or before each byte.
func readHex(text []byte) []byte {
	text = bytes.Trim(text, "{}[]();")
	tokens := bytes.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == ':' || r == ',' || r == '-'
	})
	digits := make([]byte, 0, len(text)+len(tokens))
	defer func() { clear(digits[:cap(digits)]) }()
	prefixed := 0
	for i, t := range tokens {
		bare := t
		if len(t) > 2 && t[0] == '0' && t[1]|0x20 == 'x' {
			bare = t[2:]
			prefixed++
		}
		if len(bare) == 1 && len(bare) < len(t) {
			digits = append(digits, '0')
		}
		if !isHex(bare) || prefixed > 0 && prefixed != i+1 && prefixed != 1 {
			return nil
		}
		digits = append(digits, bare...)
	}
	if len(digits) == 0 || len(digits)%2 != 0 {
		return nil
	}
	out := make([]byte, len(digits)/2)
	if _, err := hex.Decode(out, digits); err != nil {
		return nil
	}
	return out
}

// readNumbers reads "[94, 176, ...]", as JSON and most languages print bytes.
func readNumbers(text []byte) []byte {
	inner, open := bytes.CutPrefix(text, []byte("["))
	inner, closed := bytes.CutSuffix(inner, []byte("]"))
	if !open || !closed {
		return nil
	}
	var out []byte
	for _, item := range bytes.Split(inner, []byte(",")) {
		n, err := strconv.ParseUint(string(bytes.TrimSpace(item)), 10, 8)
		if err != nil {
			clear(out)
			return nil
		}
		out = append(out, byte(n))
	}
	return out
}

// readBase64 reads base64 of 32 or 64 bytes, in the standard or the URL
// alphabet, with or without padding. A word would be base64 too: mixed case is
// demanded.
func readBase64(text []byte) []byte {
	joined := bytes.Join(bytes.Fields(text), nil)
	defer clear(joined)
	joined = bytes.TrimRight(joined, "=")
	if bytes.Equal(joined, bytes.ToLower(joined)) || bytes.Equal(joined, bytes.ToUpper(joined)) {
		return nil
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		out := make([]byte, enc.DecodedLen(len(joined)))
		n, err := enc.Strict().Decode(out, joined)
		if err == nil && (n == secretSize || n == seedSize) {
			return out[:n]
		}
		clear(out)
	}
	return nil
}

// escapes are the short ones that C, Go, Python and JavaScript share.
var escapes = map[byte]byte{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', '\\': '\\', '\'': '\'', '"': '"',
}

// readEscaped reads \x5e\xb0..., and the way Python prints bytes: what is
// printable stands for itself. At least one \x must be there.
func readEscaped(text []byte) []byte {
	text = bytes.Join(bytes.Split(text, []byte("\n")), nil)
	defer clear(text)
	if !bytes.Contains(text, []byte(`\x`)) {
		return nil
	}
	for _, quote := range []string{`b'`, `b"`, `$'`} {
		text = bytes.TrimPrefix(text, []byte(quote))
	}
	var out []byte
	for rest := text; len(rest) > 0; {
		c := rest[0]
		rest = rest[1:]
		switch {
		case c < 0x20 || c >= 0x7f:
			return nil
		case c != '\\':
			out = append(out, c)
		case len(rest) >= 3 && rest[0] == 'x' && isHex(rest[1:3]):
			n, err := strconv.ParseUint(string(rest[1:3]), 16, 8)
			if err != nil {
				return nil
			}
			out = append(out, byte(n))
			rest = rest[3:]
		case len(rest) > 0:
			short, ok := escapes[rest[0]]
			if !ok {
				return nil
			}
			out = append(out, short)
			rest = rest[1:]
		default:
			return nil
		}
	}
	return out
}

// readDump reads what xxd, hexdump -C, hexdump, od, od -x and od -tx1 print: lines of
// an offset and bytes. Groups of four digits are swapped pairs but in xxd's
// output (the programs print words of a little-endian machine). The offsets must
// be right: a line that is lost is not passed over.
func readDump(text []byte) []byte {
	var out []byte
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		line = bytes.TrimSpace(line)
		end := bytes.IndexAny(line, ": ")
		if end < 0 {
			end = len(line)
		}
		offset, rest := line[:end], line[end:]
		length := len(out)
		if len(offset) < 6 || !isHex(offset) || !offsetIs(offset, length) {
			// The last word of an odd length is filled with a zero.
			length--
			if len(rest) > 0 || length < 0 || !offsetIs(offset, length) || out[length] != 0 {
				return nil
			}
		}
		if len(rest) == 0 {
			// hexdump and od end with the length alone.
			if i != len(lines)-1 {
				return nil
			}
			return out[:length]
		}
		swapped := rest[0] != ':'
		rest = bytes.TrimPrefix(rest, []byte(":"))
		rest = bytes.TrimLeft(rest, " ")
		// What follows is the same as characters.
		if swapped {
			rest, _, _ = bytes.Cut(rest, []byte("|"))
			rest, _, _ = bytes.Cut(rest, []byte(">"))
		} else {
			rest, _, _ = bytes.Cut(rest, []byte("  "))
		}
		before := len(out)
		for _, group := range bytes.Fields(rest) {
			data := dumpGroup(group, swapped)
			if data == nil {
				return nil
			}
			out = append(out, data...)
		}
		if len(out) == before {
			return nil
		}
	}
	return out
}

// dumpGroup reads one group of digits. Where the groups of words are swapped, six
// digits are a word in octal.
func dumpGroup(group []byte, swapped bool) []byte {
	if swapped && len(group) == 6 {
		word, err := strconv.ParseUint(string(group), 8, 16)
		if err != nil {
			return nil
		}
		return []byte{byte(word), byte(word >> 8)}
	}
	if len(group) != 2 && len(group)%4 != 0 {
		return nil
	}
	data := make([]byte, len(group)/2)
	if _, err := hex.Decode(data, group); err != nil {
		return nil
	}
	if swapped && len(data) == 2 {
		data[0], data[1] = data[1], data[0]
	}
	return data
}

// offsetIs compares an offset of a dump, which is hex, or octal as od prints it.
func offsetIs(text []byte, want int) bool {
	for _, base := range []int{16, 8} {
		n, err := strconv.ParseUint(string(text), base, 32)
		if err == nil && n == uint64(want) {
			return true
		}
	}
	return false
}

// secretBytes reads the 32 bytes of a secret, raw or as text, and the whole
// 64-byte seed, of which Greenlight keeps the first half. A line end behind raw
// bytes is the editor's. Bytes that are themselves such text are read again: a
// dump of a file with hex digits, for example. The result is nil, with the
// number of bytes that were found, where they are of another size.
func secretBytes(raw []byte) (kind Kind, secret []byte, size int) {
	if len(raw) == secretSize {
		return Raw, bytes.Clone(raw), secretSize
	}
	text := cleanText(raw)
	defer clear(text)
	if kind, data := byteText(text); data != nil {
		defer clear(data)
		// Each reading is shorter than what it read, so this ends.
		_, secret, _ := secretBytes(data)
		return kind, secret, len(data)
	}
	trimmed := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	switch {
	case bytes.HasPrefix(raw, []byte(opensslMagic)):
	case len(raw) == seedSize || len(trimmed) == seedSize:
		return Seed, bytes.Clone(raw[:secretSize]), seedSize
	case len(trimmed) == secretSize:
		return Raw, bytes.Clone(trimmed), secretSize
	}
	return 0, nil, len(raw)
}
