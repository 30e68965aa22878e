package vlsstate

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// threePeers is the corpus file with five channels.
func threePeers(t testing.TB) string {
	return string(load(t, filepath.Join(corpus, "three-peers", "backup.json")))
}

// replaced replaces the n-th (from 0) occurrence, which must be there.
func replaced(t testing.TB, text, old, repl string, n int) string {
	t.Helper()
	at := 0
	for ; ; n-- {
		i := strings.Index(text[at:], old)
		if i < 0 {
			t.Fatalf("no %q to replace", old)
		}
		at += i
		if n == 0 {
			return text[:at] + repl + text[at+len(old):]
		}
		at += len(old)
	}
}

func TestOneBadChannelAmongFiveIsNamedAndTheOthersAreRead(t *testing.T) {
	good := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	offCurve := `"` + "02" + strings.Repeat("f", 64) + `"`
	key := good.Channels[1].Remote.Payment.String()
	for _, c := range []struct {
		name, old, repl string
		n               int
		field, reason   string
		effect          Effect
	}{
		{"a point off the curve", `"` + key + `"`, offCurve, 0, "channel_setup.counterparty_points.payment_point", "not a point", EntryLost},
		{"a key in capitals", `"` + key + `"`, `"` + strings.ToUpper(key) + `"`, 0, "channel_setup.counterparty_points.payment_point", "lower-case", EntryLost},
		{"a delay of 17 bits", `"holder_selected_contest_delay": 6`, `"holder_selected_contest_delay": 65536`, 1, "channel_setup.holder_selected_contest_delay", "more than 65535", FieldLost},
		{"a negative delay", `"holder_selected_contest_delay": 6`, `"holder_selected_contest_delay": -1`, 1, "channel_setup.holder_selected_contest_delay", "unsigned", FieldLost},
		{"a delay as a float", `"holder_selected_contest_delay": 6`, `"holder_selected_contest_delay": 6.0`, 1, "channel_setup.holder_selected_contest_delay", "integer", FieldLost},
		{"a delay as a string", `"holder_selected_contest_delay": 6`, `"holder_selected_contest_delay": "6"`, 1, "channel_setup.holder_selected_contest_delay", "integer", FieldLost},
		{"two capacities", `"channel_value_satoshis": 600000`, `"channel_value_satoshis": 600001`, 0, "channel_value_satoshis", "channel_setup.channel_value_sat", Noted},
		{"more bitcoin than there is", `"channel_value_sat": 600000`, `"channel_value_sat": 2100000000000001`, 0, "channel_setup.channel_value_sat", "more than 2100000000000000", EntryLost},
		{"an unknown type", `"commitment_type": "AnchorsZeroFeeHtlc"`, `"commitment_type": "Taproot"`, 1, "channel_setup.commitment_type", "not a known", EntryLost},
		{"a push above the capacity", `"push_value_msat": 0`, `"push_value_msat": 600000001`, 1, "channel_setup.push_value_msat", "more than the channel", Noted},
		{"no setup at all", `"channel_setup": {`, `"channel_set": {`, 1, "channel_setup", "missing", EntryLost},
		{"the setup is a list", `"channel_setup": {`, `"channel_setup": [], "x": {`, 1, "channel_setup", "not an object", EntryLost},
		{"a name twice", `"blockheight": null,`, `"blockheight": null, "blockheight": null,`, 1, "", "twice", EntryLost},
		{"a txid too short", `"txid": "` + good.Channels[1].ID().String() + `"`, `"txid": "00"`, 0, "channel_setup.funding_outpoint.txid", "bytes", EntryLost},

		{"no enforcement state", `"enforcement_state": {`, `"enforcement": {`, 1, "enforcement_state", "missing", StateLost},
		{"commitment numbers of 49 bits", `"next_holder_commit_num": `, `"next_holder_commit_num": 28147497671065`, 1, "enforcement_state.next_holder_commit_num", "more than", FieldLost},
		{"a signature that is no DER", `"current_counterparty_signatures": [` + "\n" + `              "30`, `"current_counterparty_signatures": ["31`, 1, "enforcement_state.current_counterparty_signatures[0]", "DER", FieldLost},
		{"more than the channel holds", `"to_broadcaster_value_sat": `, `"to_broadcaster_value_sat": 9`, 2, "enforcement_state.current_counterparty_commit_info", "more than the channel", FieldLost},
		{"a commitment of the wrong side", `"is_counterparty_broadcaster": true`, `"is_counterparty_broadcaster": false`, 1, "enforcement_state.current_counterparty_commit_info.is_counterparty_broadcaster", "side", FieldLost},
		{"a secret in the wrong bucket", fmt.Sprint(good.Channels[0].State.Secrets[0].Index), fmt.Sprint(good.Channels[0].State.Secrets[0].Index - 1), 0, "enforcement_state.counterparty_secrets.old_secrets[0][1]", "bucket", FieldLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Parse([]byte(replaced(t, threePeers(t), c.old, c.repl, c.n)))
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Problems) != 1 {
				t.Fatalf("%d problems: %v", len(b.Problems), b.Problems)
			}
			p := b.Problems[0]
			if p.Kind != KindChannel || p.Channel == nil || p.Field != c.field || p.Effect != c.effect ||
				!strings.Contains(p.Reason, c.reason) {
				t.Errorf("problem %+v", p)
			}
			want := 5
			if c.effect == EntryLost {
				want = 4
			}
			if len(b.Channels) != want {
				t.Errorf("%d channels, want %d", len(b.Channels), want)
			}
			for _, ch := range b.Channels {
				unread := p.Channel != nil && ch.Key == *p.Channel && ch.State.Lacks(stateField(p))
				if ch.Key == *p.Channel && p.Effect >= FieldLost && !strings.HasPrefix(p.Field, "enforcement_state") {
					if len(ch.State.Unread) > 0 || ch.LastKnownShare().From != channel.FromCommitment {
						t.Errorf("a spare field costs the state: %+v", ch.State.Unread)
					}
					continue
				}
				if share := ch.LastKnownShare(); unread != (ch.Key == *p.Channel) || unread != (len(ch.State.Unread) > 0) ||
					(share.From == channel.ShareUnknown) != (unread && p.Effect == StateLost) {
					t.Errorf("channel %s: unread %v, share %+v", ch.Key, ch.State.Unread, share)
				}
			}
		})
	}
}

// stateField is the field of the state that a complaint is about.
func stateField(p *EntryError) string {
	name := strings.TrimPrefix(p.Field, "enforcement_state.")
	if i := strings.IndexAny(name, ".["); i >= 0 {
		name = name[:i]
	}
	return name
}

func TestBadEntriesOfOtherKindsCostNoChannel(t *testing.T) {
	good := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	node := good.NodeID.String()
	for _, c := range []struct {
		name, old, repl string
		kind            Kind
		field           string
		effect          Effect
	}{
		{"a peer of another key", `"peer_id": "0`, `"peer_id": "1`, KindPeer, "peer_id", EntryLost},
		{"a direction that nobody has", `"direction": "out"`, `"direction": "sideways"`, KindPeer, "direction", Noted},
		{"an address with an escape sequence", `"addr": "127.0.0.1:`, `"addr": "\u001b[2J127.0.0.1:`, KindPeer, "addr", EntryLost},
		{"an unknown network", `"network": "regtest"`, `"network": "litecoin"`, KindNode, "network", EntryLost},
		{"a tracker without height", `"height": 0,` + "\n" + `          "listeners"`, `"listeners"`, KindTracker, "height", EntryLost},
		{"an entry of a later version", `"nodes/` + node + `": [`, `"swaps/x": [0, {}], "nodes/` + node + `": [`, KindUnknown, "", Noted},
		{"a field of a later version", `"direction": "out"`, `"direction": "out", "hint": 1`, KindPeer, "", Noted},
		{"another node's entry", `"allowlists/` + node, `"allowlists/` + good.Channels[0].Peer.String(), KindAllowlist, "", EntryLost},
		{"a number that jq has rounded", "18446744073709551615", "18446744073709552000", KindNodeState, "", Noted},
		{"an entry without value", `"allowlists/` + node + `": [`, `"peers/` + node + `": [1], "allowlists/` + node + `": [`, KindPeer, "", EntryLost},
		{"an entry that is an object", `"allowlists/` + node + `": [`, `"peers/` + node + `": {}, "allowlists/` + node + `": [`, KindPeer, "", EntryLost},
		{"a version beyond 64 bits", `"allowlists/` + node + `": [` + "\n        0", `"allowlists/` + node + `": [18446744073709551616`, KindAllowlist, "version", EntryLost},
		{"a deleted entry with a value", `"allowlists/` + node + `": [` + "\n        0", `"allowlists/` + node + `": [18446744073709551615`, KindAllowlist, "", EntryLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Parse([]byte(replaced(t, threePeers(t), c.old, c.repl, 0)))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, p := range b.Problems {
				found = found || p.Kind == c.kind && p.Field == c.field && p.Effect == c.effect
			}
			if !found || len(b.Channels) != 5 {
				t.Errorf("%d channels, problems %v", len(b.Channels), b.Problems)
			}
		})
	}
}

func TestATombstoneIsKnownAndSkipped(t *testing.T) {
	good := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	key := "channels/" + good.NodeID.String() + good.Channels[0].Peer.String() + "0900000000000000"
	text := string(load(t, filepath.Join(corpus, "used-both-ways", "backup.json")))
	text = replaced(t, text, `"values": {`, `"values": {"`+key+`": [18446744073709551615, null],`, 0)
	b, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Problems) != 0 || len(b.Channels) != 1 || len(b.Entries) != len(good.Entries)+1 {
		t.Errorf("problems %v, %d channels, %d entries", b.Problems, len(b.Channels), len(b.Entries))
	}
	for _, e := range b.Entries {
		if (e.Key == key) != e.Tombstone() {
			t.Errorf("%s entry: tombstone %v, version %d", e.Kind(), e.Tombstone(), e.Version)
		}
	}
}

func TestAnEntryTwiceInOneFileIsNeither(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	good := parsed(t, filepath.Join(corpus, "fresh-outbound", "backup.json"))
	var key string
	for _, e := range good.Entries {
		if e.Kind() == KindChannel {
			key = e.Key
		}
	}
	b, err := Parse([]byte(replaced(t, text, `"values": {`, `"values": {"`+key+`": [99, null],`, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Channels) != 0 || len(b.Problems) != 2 || b.Problems[0].Channel == nil {
		t.Errorf("%d channels, problems %v", len(b.Channels), b.Problems)
	}
}

func TestAnOpeningThatCameToNothingIsNoChannel(t *testing.T) {
	good := parsed(t, filepath.Join(corpus, "fresh-outbound", "backup.json"))
	key := "channels/" + good.NodeID.String() + good.Channels[0].Peer.String() + "0200000000000000"
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	text = replaced(t, text, `"values": {`, `"values": {"`+key+`": [0, {"blockheight": 7, "channel_setup": null,
		"channel_value_satoshis": 0, "enforcement_state": {}, "id": null}],`, 0)
	b, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Channels) != 1 || len(b.Openings) != 1 || len(b.Problems) != 0 {
		t.Fatalf("%d channels, %d openings, problems %v", len(b.Channels), len(b.Openings), b.Problems)
	}
	o := b.Openings[0]
	if o.DBID != 2 || o.Peer != good.Channels[0].Peer || o.BlockHeight == nil || *o.BlockHeight != 7 {
		t.Errorf("opening %+v", o)
	}
}

func TestEveryNumberOfADBIDIsExact(t *testing.T) {
	good := parsed(t, filepath.Join(corpus, "fresh-outbound", "backup.json"))
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	old := good.Channels[0].Peer.String() + "0100000000000000"
	b, err := Parse([]byte(replaced(t, text, old, good.Channels[0].Peer.String()+"ffffffffffffffff", 0)))
	if err != nil || len(b.Channels) != 1 {
		t.Fatal(err, b)
	}
	if b.Channels[0].DBID != math.MaxUint64 {
		t.Errorf("dbid %d", b.Channels[0].DBID)
	}
}

func TestInputThatIsNoBackupIsToldWhatItIs(t *testing.T) {
	genuine := threePeers(t)
	words := "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	random := bytes.Repeat([]byte{0x9c, 0x01, 0xe7}, 70)
	for _, c := range []struct {
		name, input string
		want        failure.Name
		says        string
	}{
		{"nothing", "", failure.NotABackup, "empty"},
		{"white space", " \n\t", failure.NotABackup, "white space"},
		{"a raw hsm_secret", string(random[:32]), failure.NotABackup, "hsm_secret file (32 bytes)"},
		{"an encrypted hsm_secret", string(random[:73]), failure.NotABackup, "encrypted hsm_secret"},
		{"an hsm_secret with words", strings.Repeat("\x00", 32) + words, failure.NotABackup, "mnemonic"},
		{"an hsm_secret with words and passphrase", string(random[:32]) + words, failure.NotABackup, "passphrase"},
		{"words", words + "\n", failure.NotABackup, "words of a seed"},
		{"a hex secret", strings.Repeat("ab", 32) + "\n", failure.NotABackup, "64 hex digits"},
		{"emergency.recover", string(random[:200]), failure.NotABackup, "emergency.recover"},
		{"SQLite", "SQLite format 3\x00" + string(random), failure.NotABackup, "SQLite"},
		{"gzip", "\x1f\x8b\x08\x00" + string(random), failure.NotABackup, "gzip"},
		{"UTF-16", "\xff\xfe{\x00}\x00", failure.NotABackup, "UTF-16"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", failure.NotABackup, "UTF-32"},
		{"a backup in UTF-32", string(utf32Text([]byte(genuine), binary.LittleEndian, true)), failure.NotABackup, "signer backup as UTF-32"},
		{"a backup in base64", base64.StdEncoding.EncodeToString([]byte(genuine)), failure.NotABackup, "signer backup as base64"},
		{"a database in base64", base64.StdEncoding.EncodeToString([]byte("SQLite format 3\x00" + string(random))), failure.NotABackup, "SQLite"},
		{"base64 of something", base64.StdEncoding.EncodeToString(random[:200]), failure.NotABackup, "base64"},
		{"a vlsd dump", "channel/02aa/03bb = {} @ 1\n", failure.NotABackup, "vlsd"},
		{"text", "hello\n", failure.NotABackup, "text"},
		{"an SCB list", `{"scb": ["00"]}`, failure.NotABackup, "static channel backups"},
		{"a bare signer state", string(load(t, filepath.Join(corpus, "closed-one", "signer_state.json"))), failure.NotABackup, "only the signer state"},
		{"Greenlight's conversion", string(load(t, filepath.Join(corpus, "used-both-ways", "glclient-convert.json"))), failure.NotABackup, "conversion"},
		{"Greenlight's inspection", string(load(t, filepath.Join(corpus, "used-both-ways", "glclient-inspect.json"))), failure.NotABackup, "list"},
		{"a list", `[1, 2]`, failure.NotABackup, "list"},
		{"a number", `7`, failure.NotABackup, "not an object"},
		{"an empty object", `{}`, failure.NotABackup, "empty JSON object"},
		{"other JSON", `{"id": 1}`, failure.NotABackup, "no field version"},
		{"half a backup", genuine[:len(genuine)/2], failure.NotABackup, "ends too early"},
		{"all but the last brace", strings.TrimRight(genuine, "}\n"), failure.NotABackup, "ends too early"},
		{"a backup and more", genuine + "x", failure.NotABackup, "more text"},
		{"a text version", `{"version": "1"}`, failure.NotABackup, "field version"},
		{"a later version", `{"version": 2, "new_field": 1}`, failure.UnsupportedVersion, "version 2"},
		{"an unknown top-level field", replaced(t, genuine, `"version": 1,`, `"version": 1, "peers": [],`, 0), failure.NotABackup, "the field peers:"},
		{"an unknown field in state", replaced(t, genuine, `"state": {`, `"state": {"a": 1, "b": 2,`, 0), failure.NotABackup, "the field state.a, state.b:"},
		{"another name", replaced(t, genuine, `"created_at"`, `"created"`, 0), failure.NotABackup, "the field created:"},
		{"a name that is none", replaced(t, genuine, `"version": 1,`, `"version": 1, "My Note": [],`, 0), failure.NotABackup, "not printed"},
		{"a node id off the curve", replaced(t, genuine, `"node_id": "0`, `"node_id": "1`, 0), failure.NotABackup, "node_id"},
		{"a field twice", replaced(t, genuine, `"version": 1,`, `"version": 1, "version": 1,`, 0), failure.NotABackup, "twice"},
		{"LDK's keys", replaced(t, genuine, `"key_derivation_style": 1`, `"key_derivation_style": 2`, 0), failure.UnsupportedKeyDerivation, "style 2"},
		{"nesting without end", strings.Repeat("[", 1<<20), failure.NotABackup, "too deeply"},
		{"half a surrogate pair", `{"version": 1, "\ud800": 1}`, failure.NotABackup, "surrogate"},
		{"no UTF-8", "{\"version\": 1, \"a\xff\": 1}", failure.NotABackup, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Read(strings.NewReader(c.input))
			if b != nil || failure.NameOf(err) != c.want || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s with %q", err, c.want, c.says)
			}
			for _, secret := range []string{"abandon", "abab", string(random[:6])} {
				if strings.Contains(fmt.Sprintf("%+v %v", err, err), secret) {
					t.Errorf("the error echoes the input: %v", err)
				}
			}
		})
	}
}

func TestNoErrorEchoesTheFile(t *testing.T) {
	const canary = "CANARY"
	genuine := string(load(t, filepath.Join(corpus, "htlc-in-flight", "backup.json")))
	// Put the canary into every string and name of the file, one at a time.
	for at := 0; ; {
		i := strings.IndexByte(genuine[at:], '"')
		if i < 0 {
			break
		}
		at += i + 1
		b, err := Parse([]byte(genuine[:at] + canary + genuine[at:]))
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Fatalf("error echoes the file: %v", err)
		}
		if b == nil {
			continue
		}
		for _, p := range b.Problems {
			if strings.Contains(p.Error(), canary) {
				t.Fatalf("problem echoes the file: %v", p)
			}
		}
	}
}

// endless is a file of one string that never ends.
type endless struct{ taken int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	if e.taken == 0 {
		n = copy(p, `{"x":"`)
	}
	for i := n; i < len(p); i++ {
		p[i] = 'a'
	}
	e.taken += int64(len(p))
	return len(p), nil
}

func TestNoMoreThanTheCapIsRead(t *testing.T) {
	src := &endless{}
	in := newInput(src)
	in.source.left = 1 << 20
	if _, err := in.backup(); failure.NameOf(err) != failure.BackupTooLarge || src.taken > 2<<20 {
		t.Errorf("%v after %d bytes", err, src.taken)
	}
	path := filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(MaxSize+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); failure.NameOf(err) != failure.BackupTooLarge {
		t.Errorf("a sparse file above the cap: %v", err)
	}
}

func TestWhatIsNoRegularFileIsRefusedWithoutOpeningIt(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := mkfifo(pipe); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{dir, pipe, filepath.Join(dir, "missing")} {
		if _, err := ReadFile(path); failure.NameOf(err) != failure.BackupUnreadable {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := ReadFile(filepath.Join(dir, "missing"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

func TestAFailingReaderIsAnUnreadableBackup(t *testing.T) {
	_, err := Read(io.MultiReader(strings.NewReader("{"), failingReader{}))
	if failure.NameOf(err) != failure.BackupUnreadable || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, syscall.EIO }

func TestPreimagesAreReadAndNeverPrinted(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	list := strings.TrimSuffix(strings.Repeat("77,", 32), ",")
	b, err := Parse([]byte(replaced(t, text, `"preimages": []`, `"preimages": [[`+list+`]]`, 0)))
	if err != nil || len(b.Problems) != 0 || len(b.Preimages) != 1 {
		t.Fatal(err, b)
	}
	if b.Preimages[0] != Preimage(bytes.Repeat([]byte{77}, 32)) {
		t.Error("wrong preimage")
	}
	if s := fmt.Sprintf("%v %+v %#v", b.Preimages, b.Preimages[0], b.Preimages[0]); strings.Contains(s, "77") || strings.Contains(s, "4d") {
		t.Errorf("printed: %s", s)
	}
}

func TestSecretsFollowTheBucketsOfBOLT3(t *testing.T) {
	zeros := "[" + strings.TrimSuffix(strings.Repeat("0,", 32), ",") + "]"
	one := "[" + strings.TrimSuffix(strings.Repeat("1,", 32), ",") + "]"
	const top = 1<<48 - 1
	for _, c := range []struct {
		name, json string
		want       []uint64
		bad        bool
	}{
		{"none", `{"old_secrets":[]}`, nil, false},
		{"two, and empty ones behind", fmt.Sprintf(`{"old_secrets":[[%s,%d],[%s,%d],[%s,%d]]}`, one, uint64(top), one, uint64(top)-1, zeros, uint64(top)+1), []uint64{top, top - 1}, false},
		{"an empty one between", fmt.Sprintf(`{"old_secrets":[[%s,%d],[%s,%d],[%s,%d]]}`, one, uint64(top), zeros, uint64(top)+1, one, uint64(top)-3), nil, true},
		{"a secret under the empty index", fmt.Sprintf(`{"old_secrets":[[%s,%d]]}`, one, uint64(top)+1), nil, true},
		{"an index beyond", fmt.Sprintf(`{"old_secrets":[[%s,%d]]}`, one, uint64(top)+2), nil, true},
		{"index 0 in the last bucket only", fmt.Sprintf(`{"old_secrets":[[%s,0]]}`, one), nil, true},
		{"31 bytes", `{"old_secrets":[[[` + strings.TrimSuffix(strings.Repeat("1,", 31), ",") + `],281474976710655]]}`, nil, true},
		{"50 buckets", `{"old_secrets":[` + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("[%s,%d],", zeros, uint64(top)+1), 50), ",") + `]}`, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := decodeText([]byte(c.json))
			d := n.d
			got := readSecrets(n)
			if (d.err != nil) != c.bad {
				t.Fatalf("complaint %v", d.err)
			}
			if c.bad {
				return
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d secrets", len(got))
			}
			for i, s := range got {
				if s.Index != c.want[i] {
					t.Errorf("index %d", s.Index)
				}
			}
		})
	}
}

func TestTheSecretsMustReachTheLastRevokedCommitment(t *testing.T) {
	s := channel.State{NextCounterpartyRevokeNum: 2, Secrets: []channel.Secret{
		{Index: channel.ShachainIndex(0)}, {Index: channel.ShachainIndex(1)},
	}}
	if !secretsFit(&s) {
		t.Error("two secrets for two revoked commitments")
	}
	s.NextCounterpartyRevokeNum = 3
	if secretsFit(&s) {
		t.Error("two secrets for three revoked commitments")
	}
	s.NextCounterpartyRevokeNum = 0
	if secretsFit(&s) {
		t.Error("secrets, but nothing revoked")
	}
}
