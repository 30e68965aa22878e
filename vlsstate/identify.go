package vlsstate

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/glrecover/glrecover/failure"
)

func notABackup(found string, args ...any) *failure.Error {
	return failure.New(failure.NotABackup, doUseBackup, "this is not a signer backup: "+found, args...)
}

// doSalvage is what to do with a copy of a backup that is damaged or wrapped.
const doSalvage = "Look for a complete copy. If there is none, save what is left of this one: " +
	"glrecover snapshot --salvage --from FILE --to NEW"

// notJSON says what a text that is no JSON is instead.
func notJSON(data []byte, err error) *failure.Error {
	if what := remains(data, err); what != "" {
		return failure.New(failure.NotABackup, doSalvage, "%s", what).Wrap(err)
	}
	if what := otherThanJSON(data); what != "" {
		do := doUseBackup
		if what == nodeExport || what == sqlite {
			do = "Keep this file: it is the whole node"
		}
		return failure.New(failure.NotABackup, do, "%s", what).Wrap(err)
	}
	if errors.Is(err, errTruncated) {
		return failure.New(failure.NotABackup,
			"The copy is incomplete: copy the file again, or use an older copy",
			"the input begins like a backup but ends too early").Wrap(err)
	}
	return notABackup("%v", err).Wrap(err)
}

// remains recognises a damaged or wrapped copy of a backup by the beginning of
// the text, and says what err is about; "" means that it is none.
func remains(head []byte, err error) string {
	text, form := plainText(head)
	if !bytes.Contains(text, []byte("created_at")) && !hasKey(text) {
		return ""
	}
	begin := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case isDump(text):
		return ""
	case form != "":
		return "this is a signer backup as " + form
	case begin[0] == '{' && errors.Is(err, errTruncated):
		return "this is a signer backup that ends too early: the copy is incomplete"
	case begin[0] == '{':
		return fmt.Sprintf("this is a signer backup, and it is damaged: %v", err)
	case begin[0] == '"':
		return "this is a signer backup inside a JSON string"
	}
	return "this is a signer backup with other text around it"
}

// magics are how other files begin.
var magics = []struct{ magic, what string }{
	{"\xff\xfe\x00\x00", "this is UTF-32 text; save it as UTF-8"},
	{"\x00\x00\xfe\xff", "this is UTF-32 text; save it as UTF-8"},
	{"\xff\xfe", "this is UTF-16 text; save it as UTF-8"},
	{"\xfe\xff", "this is UTF-16 text; save it as UTF-8"},
	{"SQLite format 3\x00", sqlite},
	{"PGDMP", nodeExport},
	{"--\n-- PostgreSQL database dump", nodeExport},
	{"redb\x1a\x0a\xa9\x0d\x0a", "this is the store of a vlsd; give what vlsd --dump-storage prints of it"},
	{"\x1f\x8b", "this is a gzip file; unpack it first"},
	{"PK\x03\x04", "this is a zip file; unpack it first"},
	{"\xfd7zXZ\x00", "this is an xz file; unpack it first"},
	{"\x28\xb5\x2f\xfd", "this is a zstd file; unpack it first"},
	{"BZh", "this is a bzip2 file; unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "this is a 7z archive; unpack it first"},
	{"Rar!\x1a\x07", "this is a RAR archive; unpack it first"},
	{"age-encryption.org/", "this is a file encrypted with age; decrypt it first"},
	{"-----BEGIN AGE ENCRYPTED FILE-----", "this is a file encrypted with age; decrypt it first"},
	{"-----BEGIN PGP MESSAGE-----", "this is a file encrypted with PGP; decrypt it first"},
	{"Salted__", "this is a file encrypted with openssl; decrypt it first"},
	{"clnemerg1", "this is Core Lightning's emergency.recover in text form: Core Lightning takes it back with the node's hsm_secret (man lightning-emergencyrecover)"},
	{"version https://git-lfs.github.com/spec/", pointer},
	{"[InternetShortcut]", pointer},
	{"book\x00\x00\x00\x00mark", pointer},
	{"bplist00", pointer},
	{"%PDF-", "this is a PDF; a signer backup is a text file"},
	{"\x89PNG", "this is a picture; a signer backup is a text file"},
	{"\xff\xd8\xff", "this is a picture; a signer backup is a text file"},
}

const (
	sqlite     = "this is an SQLite database, perhaps lightningd.sqlite3: with it you can run the node itself again, and should not use glrecover"
	nodeExport = "this is a node's database, as Greenlight exports it: with it you can run the node itself elsewhere, which keeps every channel open. Do that, and do not use glrecover"
	pointer    = "this is only a pointer to a file that is kept elsewhere; fetch the file itself"
	staticSCB  = "static channel backups, not a signer backup; lightning-cli recoverchannel takes them, and they lack what glrecover needs"
)

// magicOf recognises a file by its first bytes.
func magicOf(data []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.magic)) {
			return m.what
		}
	}
	const ustar = 257
	if len(data) > ustar+5 && string(data[ustar:ustar+5]) == "ustar" {
		return "this is a tar archive; unpack it first"
	}
	if begin := bytes.ToLower(data[:min(len(data), 200)]); bytes.HasPrefix(begin, []byte("<!doctype html")) || bytes.HasPrefix(begin, []byte("<html")) {
		return "this is a web page, not the file that it shows; download the file itself"
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
		return "the input contains only white space"
	}
	if what := magicOf(text); what != "" {
		return what
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
		return "this is a binary file, not a signer backup; perhaps Core Lightning's emergency.recover or hsm_secret, or lnd's channel.backup"
	}
	if decoded := fromBase64(data); len(decoded) >= leastBase64 {
		if what := magicOf(decoded); what != "" {
			return "this is base64 text of another file; decode it first (base64 -d): " + what
		}
		return "this looks like base64 text; decode it first (base64 -d)"
	}
	return "this is text, but not JSON"
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
		if !isHexDigit(c) {
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
func otherJSON(names map[string]int) string {
	has := func(name string) bool { return names[name] > 0 }
	switch {
	case has("scb"):
		return "these are " + staticSCB
	case has("single_chan_backups") || has("multi_chan_backup"):
		return "this is lnd's export of channel backups (exportchanbackup): only an lnd with that node's seed takes them"
	case has("backup") && len(names) == 1:
		return "these are " + staticSCB
	case has("values"):
		return "this is only the signer state, without the rest of the backup (no version, no creation time)"
	case has("request") && has("exported_channels"):
		return "this is the output of Greenlight's backup conversion, not the backup itself"
	case has("jsonrpc") && has("result"), has("jsonrpc") && has("error"):
		return "this is a JSON-RPC answer, not a signer backup"
	case has("channels") && len(names) == 1:
		return "this is what listpeerchannels prints, not a signer backup"
	case has("doc_id") || has("url") && len(names) <= 3:
		return pointer
	case len(names) == 0:
		return "this is an empty JSON object, not a signer backup"
	}
	return "this is JSON, but not a signer backup: it has no field version"
}
