package vlsstate

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/glrecover/glrecover/failure"
)

func notABackup(found string, args ...any) *failure.Error {
	return failure.New(failure.NotABackup, doUseBackup, "this is not a signer backup: "+found, args...)
}

// notJSON says what a text that is no JSON is instead.
func notJSON(data []byte, err error) *failure.Error {
	if what := otherThanJSON(data); what != "" {
		return failure.New(failure.NotABackup, doUseBackup, "%s", what).Wrap(err)
	}
	if errors.Is(err, errTruncated) {
		return failure.New(failure.NotABackup,
			"The copy is incomplete: copy the file again, or use an older one",
			"the input begins like a backup and ends too early").Wrap(err)
	}
	return notABackup("%v", err).Wrap(err)
}

var magics = []struct{ magic, what string }{
	{"SQLite format 3\x00", "this is an SQLite database, perhaps lightningd.sqlite3"},
	{"\x1f\x8b", "this is a gzip file; unpack it first"},
	{"PK\x03\x04", "this is a zip file; unpack it first"},
	{"\xfd7zXZ\x00", "this is an xz file; unpack it first"},
	{"\x28\xb5\x2f\xfd", "this is a zstd file; unpack it first"},
	{"\xff\xfe", "this is UTF-16 text; save it as UTF-8"},
	{"\xfe\xff", "this is UTF-16 text; save it as UTF-8"},
	{"\xef\xbb\xbf", "the text begins with a byte order mark; save it as UTF-8 without one"},
}

// magicOf recognises a file by its first bytes.
func magicOf(data []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.magic)) {
			return m.what
		}
	}
	return ""
}

// otherThanJSON recognises inputs that do not begin like a JSON object; ""
// means that nothing can be said.
func otherThanJSON(data []byte) string {
	text := bytes.TrimSpace(data)
	if len(data) == 0 {
		return "the input is empty"
	}
	if len(text) == 0 {
		return "the input holds nothing but white space"
	}
	if what := magicOf(data); what != "" {
		return what
	}
	if isDump(text) {
		return "this is a dump of vlsd's storage, not a signer backup"
	}
	if text[0] == '{' || text[0] == '[' {
		return ""
	}
	return secretKind(data, text)
}

// secretKind recognises files that hold a secret, so that the user is warned
// and nothing of it is shown.
func secretKind(data, text []byte) string {
	const keepSecret = "; keep it secret"
	zeros := bytes.HasPrefix(data, make([]byte, 32))
	switch {
	case zeros && len(data) > 32 && isWords(data[32:]):
		return "this is an hsm_secret file with a mnemonic, not a backup" + keepSecret
	case len(data) > 64 && isWords(data[32:]) && !utf8.Valid(data):
		return "this is an hsm_secret file with a mnemonic and a passphrase, not a backup" + keepSecret
	case isWords(text) && bytes.Count(text, []byte(" ")) >= 11:
		return "this looks like the words of a seed, not a backup" + keepSecret
	case len(text) == 64 && isHex(text):
		return "these are 64 hex digits, perhaps a secret, not a backup" + keepSecret
	case len(data) == 32 && !printableText(data):
		return "this is an hsm_secret file (32 bytes), not a backup" + keepSecret
	case len(data) == 73 && !printableText(data):
		return "this is an encrypted hsm_secret file (73 bytes), not a backup" + keepSecret
	case !printableText(data):
		return "this is a binary file, not a signer backup; perhaps Core Lightning's emergency.recover or hsm_secret"
	}
	return "this is text, but no JSON"
}

// isWords reports lower-case words with single spaces.
func isWords(text []byte) bool {
	text = bytes.TrimSpace(text)
	for _, c := range text {
		if c != ' ' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return bytes.IndexByte(text, ' ') > 0
}

func isHex(text []byte) bool {
	for _, c := range text {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return true
}

// printableText reports UTF-8 without control characters but white space.
func printableText(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(data)
}

// otherJSON says what a JSON object without "version" is.
func otherJSON(members map[string][]byte) string {
	has := func(name string) bool { _, ok := members[name]; return ok }
	switch {
	case has("scb"):
		return "this is a list of static channel backups (the parameters of recoverchannel), not a signer backup"
	case has("values"):
		return "this is a bare signer state without the backup around it (no version, no creation time)"
	case has("request") && has("exported_channels"):
		return "this is the output of Greenlight's backup conversion, not the backup itself"
	case has("jsonrpc") && has("result"), has("jsonrpc") && has("error"):
		return "this is a JSON-RPC answer, not a signer backup"
	case len(members) == 0:
		return "this is an empty JSON object, not a signer backup"
	}
	return "this is JSON, but not a signer backup: it has no field version"
}
