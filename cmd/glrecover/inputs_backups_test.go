package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// backupInputs are what people give in place of a backup, or as one.
func backupInputs(t *testing.T) inputSection {
	file := func(name string) []byte {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join("../../testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	whole := file("corpus/used-both-ways/backup.json")
	text := string(whole)
	with := func(old, repl string) []byte {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the backup has no %q", old)
		}
		return []byte(strings.Replace(text, old, repl, 1))
	}
	wide := func(order binary.AppendByteOrder) []byte {
		out := order.AppendUint16(nil, 0xfeff)
		for _, u := range utf16.Encode([]rune(text)) {
			out = order.AppendUint16(out, u)
		}
		return out
	}
	var wider []byte
	for _, r := range "\ufeff" + text {
		wider = binary.LittleEndian.AppendUint32(wider, uint32(r))
	}
	inBase64 := []byte(base64.StdEncoding.EncodeToString(whole))
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(string(quoted))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[strings.Index(text, `"is_outbound"`)+2] ^= 0x80
	inspect, salvage := []string{"inspect", "GIVEN"}, []string{"snapshot", "--salvage", "--from", "GIVEN", "--to", "OUT"}
	row := func(given string, input []byte, code int) inputRow {
		return inputRow{given: given, args: inspect, input: input, code: code}
	}
	saved := func(given string, input []byte, code int) inputRow {
		return inputRow{given: given, args: salvage, input: input, code: code}
	}
	bin := func(s string) []byte { return []byte(s) }
	return inputSection{
		title: "Backups, and what is taken for one",
		text: "Most are the backup of a channel that was used, with one thing changed. What can be read is shown as the\n" +
			"channel's line about its share, or, where `inspect` has something to say of the channel, as that.",
		show: "Your share",
		rows: []inputRow{
			row("the backup itself", whole, exitOK),
			row("with a byte order mark", append([]byte("\xef\xbb\xbf"), whole...), exitOK),
			row("with line ends of Windows", []byte(strings.ReplaceAll(text, "\n", "\r\n")), exitOK),
			row("as VLS up to 0.10 wrote it", file("inputs/vls-0.10.json"), exitOK),
			row("a signature cut short", file("inputs/cut-signature.json"), exitProblem),
			row("push_value_msat is null", file("inputs/push-null.json"), exitOK),
			row("no shutdown scripts and no push_value_msat", file("inputs/setup-min.json"), exitOK),
			row("a date from a device without a clock", with("2026-11-24T23:53:13Z", "1970-01-01T00:00:00Z"), exitOK),
			row("a strategy of a later signer", with(`"periodic": {`, `"hourly": {`), exitOK),
			row("a pending splice next to the channel", file("inputs/splice.json"), exitOK),
			{given: "commitment type Legacy", args: inspect, input: file("inputs/legacy.json"), code: exitProblem, show: "LOST"},
			{given: "dbid 0", args: inspect, input: []byte(strings.ReplaceAll(text, "07230100000000000000", "07230000000000000000")), code: exitProblem, show: "LOST"},
			{given: "a newer file with a damaged channel, after the older one", args: inspect, input: append(bytes.Clone(whole), file("inputs/newer-damaged.json")...), code: exitProblem, show: "OLDER"},
			row("a field of one's own", file("inputs/note.json"), exitUnreadable),
			row("a copy that is cut off", whole[:len(whole)*2/3], exitUnreadable),
			row("a flipped bit", flipped, exitUnreadable),
			row("UTF-16", wide(binary.LittleEndian), exitUnreadable),
			row("UTF-32", wider, exitUnreadable),
			row("base64", inBase64, exitUnreadable),
			row("zeros after the end", append(bytes.Clone(whole), make([]byte, 512)...), exitUnreadable),
			row("in a fence of a chat", []byte("```json\n"+text+"```\n"), exitUnreadable),
			row("inside a JSON string", quoted, exitUnreadable),
			row("in a line of a log", []byte("2026-11-25 INFO backup: "+text+"\n"), exitUnreadable),
			saved("a copy that is cut off", whole[:len(whole)*2/3], exitProblem),
			saved("a flipped bit", flipped, exitProblem),
			saved("UTF-16", wide(binary.LittleEndian), exitOK),
			saved("UTF-16, the other way round", wide(binary.BigEndian), exitOK),
			saved("UTF-32", wider, exitOK),
			saved("base64", inBase64, exitOK),
			saved("zeros after the end", append(bytes.Clone(whole), make([]byte, 512)...), exitOK),
			saved("in a fence of a chat", []byte("```json\n"+text+"```\n"), exitOK),
			saved("inside a JSON string", quoted, exitOK),
			saved("cut off between two entries", []byte(text[:strings.Index(text, `"channels/`)]), exitProblem),
			saved("inside a JSON string, twice", twice, exitOK),
			saved("quoted in a mail", []byte("Hello,\n> "+strings.ReplaceAll(text, "\n", "\n> ")), exitOK),
			saved("with quotation marks of a word processor", []byte(strings.ReplaceAll(text, `"`, "\u201c")), exitOK),
			saved("a web page", file("inputs/drive.html"), exitUnreadable),
			row("static channel backups of another program", file("inputs/breez-static.json"), exitUnreadable),
			row("a bare list of them", file("inputs/scb-array.json"), exitUnreadable),
			row("the parameters of recoverchannel", bin(`{"scb":["00"]}`), exitUnreadable),
			row("clnemerg1...", file("inputs/clnemerg.txt"), exitUnreadable),
			row("emergency.recover", append(bytes.Repeat([]byte{0x8f, 0x02, 0xee}, 40), 0), exitUnreadable),
			row("lnd's exportchanbackup", bin(`{"single_chan_backups":{"chan_backups":[]},"multi_chan_backup":{}}`), exitUnreadable),
			row("listpeerchannels", file("inputs/listpeerchannels.json"), exitUnreadable),
			row("a dump of a node's database, as Greenlight exports it", bin("--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n"), exitUnreadable),
			row("the same, in pg_dump's own format", bin("PGDMP\x01\x0e\x00\x04\x08"), exitUnreadable),
			row("lightningd.sqlite3", bin("SQLite format 3\x00\x10\x00"), exitUnreadable),
			row("the store of a vlsd", bin("redb\x1a\x0a\xa9\x0d\x0a\x00\x00"), exitUnreadable),
			row("a zip file", bin("PK\x03\x04\x14\x00"), exitUnreadable),
			row("a tar archive", append(make([]byte, 257), "ustar\x00"...), exitUnreadable),
			row("a file encrypted with age", bin("age-encryption.org/v1\n-> X25519 x\n"), exitUnreadable),
			row("a PGP message", bin("-----BEGIN PGP MESSAGE-----\n\nabc\n"), exitUnreadable),
			row("a web page", file("inputs/drive.html"), exitUnreadable),
			row("a Git LFS pointer", bin("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), exitUnreadable),
			row("a shortcut", bin("[InternetShortcut]\r\nURL=https://example.com/\r\n"), exitUnreadable),
			row("the words of the seed", bin("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about\n"), exitUnreadable),
			row("an hsm_secret", bytes.Repeat([]byte{0xd3, 0x01}, 16), exitUnreadable),
			row("a picture", bin("\x89PNG\r\n\x1a\n\x00"), exitUnreadable),
			row("an empty file", nil, exitUnreadable),
		},
	}
}
