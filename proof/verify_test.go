package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

// statusOf is the status of a check of the only channel, or of the one with a
// dbid.
func statusOf(r *Report, dbid uint64, kind Kind) Status {
	for _, c := range r.Channels {
		if c.Channel.DBID != dbid {
			continue
		}
		for _, check := range c.Checks {
			if check.Kind == kind {
				return check.Status
			}
		}
	}
	return ""
}

func TestEveryGenuineBackupIsProven(t *testing.T) {
	for _, f := range stateFiles(t) {
		t.Run(f[0]+"/"+f[1], func(t *testing.T) {
			b := load(t, f[0], f[1])
			r := verify(t, b, secretOf(t, f[0]))
			for _, c := range r.Checks() {
				if c.Status == Wrong || c.Status == Missing {
					t.Errorf("%s %s: %s (%s)", c.Kind, c.Entry, c.Status, c.Text)
				}
			}
			if !r.Proven() || r.WrongNode() || len(r.Entries) != len(b.Entries)+1 || len(r.Channels) != len(b.Channels) {
				t.Errorf("proven %v, %d entries of %d, %d channels of %d", r.Proven(), len(r.Entries), len(b.Entries), len(r.Channels), len(b.Channels))
			}
			for i, ch := range b.Channels {
				want := NotProvable
				if ch.State.HolderCommit != nil {
					want = Proven
				}
				if got := r.Channels[i].Status(); got != want {
					t.Errorf("channel %s: %s, want %s", ch.Key, got, want)
				}
			}
		})
	}
}

func TestASnapshotFromBirthProvesNoKeys(t *testing.T) {
	r := verify(t, load(t, "fresh-outbound", "backup.json"), secretOf(t, "fresh-outbound"))
	if got := statusOf(r, 1, HolderCommitment); got != NotProvable {
		t.Errorf("holder commitment %s", got)
	}
	if got := statusOf(r, 1, RevocationSecrets); got != NotProvable {
		t.Errorf("secrets %s", got)
	}
}

func TestTheLastSecretIsComparedWithItsPointOnly(t *testing.T) {
	// The peer of this channel still has two unrevoked commitments: the stored
	// previous point is of the older of them.
	b := load(t, "force-closed", "backup.json")
	for _, ch := range b.Channels {
		ch.State.NextCounterpartyCommitNum++
	}
	for _, c := range verify(t, b, secretOf(t, "force-closed")).Channels {
		if got := statusOf(&Report{Channels: []ChannelReport{c}}, c.Channel.DBID, LastRevokedPoint); got == Wrong || got == Proven {
			t.Errorf("channel %d: %s", c.Channel.DBID, got)
		}
	}
}

// Each damage is done to the parsed channel, where an entry's signature does
// not help.
func TestADamagedChannelIsWrongByName(t *testing.T) {
	const name = "anchor-ties"
	for _, c := range []struct {
		what   string
		damage func(*channel.Channel)
		kind   Kind
		text   string
	}{
		{"our balance", func(c *channel.Channel) { c.State.HolderCommit.ToBroadcasterSat-- }, HolderCommitment, "commitment signature"},
		{"the number", func(c *channel.Channel) { c.State.NextHolderCommitNum++ }, HolderCommitment, "commitment signature"},
		{"the dbid", func(c *channel.Channel) { c.DBID++ }, HolderCommitment, "commitment signature"},
		{"the peer's delay", func(c *channel.Channel) { c.CounterpartyDelay++ }, HolderCommitment, "commitment signature"},
		{"an HTLC's hash", func(c *channel.Channel) { c.State.HolderCommit.Received[0].PaymentHash[0] ^= 1 }, HolderCommitment, "commitment signature"},
		{"an HTLC's expiry", func(c *channel.Channel) { c.State.HolderCommit.Received[0].CLTVExpiry++ }, HolderCommitment, "commitment signature"},
		{"the opener", func(c *channel.Channel) { c.Opener = 1 - c.Opener }, HolderCommitment, "commitment signature"},
		{"two HTLC signatures exchanged", func(c *channel.Channel) {
			sigs := c.State.HolderSigs.HTLCs
			sigs[0], sigs[1] = sigs[1], sigs[0]
		}, HolderCommitment, "HTLC signature 0"},
		{"an HTLC signature dropped", func(c *channel.Channel) {
			sigs := c.State.HolderSigs
			sigs.HTLCs = sigs.HTLCs[1:]
		}, HolderCommitment, "HTLC"},
		{"a secret's index", func(c *channel.Channel) { c.State.Secrets[1].Index += 8 }, RevocationSecrets, "bucket 1"},
		{"a secret too few", func(c *channel.Channel) { c.State.Secrets = c.State.Secrets[:2] }, RevocationSecrets, "2 buckets"},
		{"the point", func(c *channel.Channel) { p := c.Remote.Payment; c.State.PrevCounterpartyPoint = &p }, LastRevokedPoint, "does not match the stored point"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := load(t, name, "backup.json")
			c.damage(b.Channels[0])
			r := verify(t, b, secretOf(t, name))
			for _, check := range r.Channels[0].Checks {
				if check.Kind == c.kind {
					if check.Status != Wrong || !strings.Contains(check.Text, c.text) {
						t.Errorf("%+v", check)
					}
					if r.Proven() || r.Channels[0].Status() != Wrong {
						t.Error("the report is proven")
					}
					return
				}
			}
			t.Errorf("no check %s", c.kind)
		})
	}
}

func TestAChangedSecretOfThePeerIsWrong(t *testing.T) {
	const name = "used-both-ways"
	wrong := 0
	ch := load(t, name, "backup.json").Channels[0]
	for bucket := range ch.State.Secrets {
		b := load(t, name, "backup.json")
		b.Channels[0].State.Secrets[bucket].Secret[9] ^= 16
		r := verify(t, b, secretOf(t, name))
		if statusOf(r, 1, RevocationSecrets) == Wrong || statusOf(r, 1, LastRevokedPoint) == Wrong {
			wrong++
		}
	}
	// The commitments 0 to 25 are revoked: ...e6 yields ...e7, ...e8 yields
	// ...ec, and ...f0 stands alone.
	if wrong != 4 || len(ch.State.Secrets) != 5 {
		t.Errorf("%d of %d changed secrets were found", wrong, len(ch.State.Secrets))
	}
}

// A second commitment of ours with its own signatures: the next state of one
// channel as the next commitment of an earlier one.
func TestASecondHolderCommitmentIsCheckedToo(t *testing.T) {
	b := load(t, "anchor-ties", "backup.json")
	s := &b.Channels[0].State
	s.NextHolderCommit, s.NextHolderSigs = s.HolderCommit, s.HolderSigs
	s.NextHolderCommitNum--
	s.HolderCommit, s.HolderSigs = nil, nil
	r := verify(t, b, secretOf(t, "anchor-ties"))
	if got := statusOf(r, 1, NextHolderCommitment); got != Proven {
		t.Errorf("next commitment %s", got)
	}
	if r.Channels[0].Status() != Proven {
		t.Error("the channel's keys are not proven by it")
	}
	s.NextHolderCommit.ToBroadcasterSat++
	if got := statusOf(verify(t, b, secretOf(t, "anchor-ties")), 1, NextHolderCommitment); got != Wrong {
		t.Errorf("changed next commitment %s", got)
	}
}

func TestAFlippedBitAnywhereInTheEntriesIsFound(t *testing.T) {
	for _, name := range []string{"fresh-outbound", "htlc-in-flight", "static-remotekey"} {
		t.Run(name, func(t *testing.T) {
			raw := readRaw(t, name, "backup.json")
			secret := secretOf(t, name)
			start := bytes.Index(raw, []byte(`"values"`)) + len(`"values"`)
			end := len(bytes.TrimRight(raw, "}\r\n \t"))
			rng := rand.New(rand.NewPCG(1, 4))
			offsets := rng.Perm(end - start)
			for _, o := range offsets[:min(len(offsets), 1500)] {
				bad := slices.Clone(raw)
				bit := byte(1) << rng.UintN(8)
				bad[start+o] ^= bit
				b, err := vlsstate.Read(bytes.NewReader(bad))
				if err != nil {
					continue
				}
				if r := verify(t, b, secret); r.Proven() {
					t.Fatalf("bit %#x of byte %d went unseen: %q became %q", bit, start+o, raw[start+o], bad[start+o])
				}
			}
		})
	}
}

// The entry itself, past the JSON: key, version, value and signature.
func TestAFlippedBitOfAParsedEntryIsWrong(t *testing.T) {
	const name = "used-both-ways"
	secret := secretOf(t, name)
	b := load(t, name, "backup.json")
	rng := rand.New(rand.NewPCG(2, 4))
	for i := range b.Entries {
		original := b.Entries[i]
		for range 40 {
			e := vlsstate.Entry{
				Key: original.Key, Version: original.Version,
				Value: slices.Clone(original.Value), Signature: slices.Clone(original.Signature),
			}
			bit := byte(1) << rng.UintN(8)
			switch rng.UintN(4) {
			case 0:
				key := []byte(e.Key)
				key[rng.IntN(len(key))] ^= bit
				e.Key = string(key)
			case 1:
				e.Version ^= 1 << rng.UintN(64)
			case 2:
				e.Value[rng.IntN(len(e.Value))] ^= bit
			case 3:
				e.Signature[rng.IntN(len(e.Signature))] ^= bit
			}
			b.Entries[i] = e
			if got := verify(t, b, secret).Entries[i].Status; got != Wrong {
				t.Fatalf("entry %d: %s", i, got)
			}
		}
		b.Entries[i] = original
	}
}

func TestAHighSIsNoSignature(t *testing.T) {
	const name = "fresh-outbound"
	b := load(t, name, "backup.json")
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	sig := b.Entries[0].Signature
	// s becomes n - s.
	borrow := 0
	for i := 31; i >= 0; i-- {
		d := int(order[i]) - int(sig[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		sig[32+i] = byte(d)
	}
	if got := verify(t, b, secretOf(t, name)).Entries[0].Status; got != Wrong {
		t.Errorf("%s", got)
	}
}

func TestSignaturesTakenAwayAreMissing(t *testing.T) {
	const name = "fresh-outbound"
	b := load(t, name, "backup.json")
	b.Entries[1].Signature = nil
	r := verify(t, b, secretOf(t, name))
	if r.Entries[1].Status != Missing || r.Entries[1].Entry != b.Entries[1].Key || r.Proven() || r.Count(Missing) != 1 {
		t.Errorf("%+v", r.Entries[1])
	}
	for i := range b.Entries {
		b.Entries[i].Signature = nil
	}
	r = verify(t, b, secretOf(t, name))
	if r.Entries[0].Status != NotProvable || !r.Proven() || r.Signed() {
		t.Errorf("without any signature: %+v", r.Entries[0])
	}
}

// entriesOf is a backup and its entries, numbers as they stand.
func entriesOf(t *testing.T, raw []byte) (file, values map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file, file["state"].(map[string]any)["values"].(map[string]any)
}

// A reader that takes a broken signature for none would believe a file whose
// every signature was broken.
func TestABrokenSignatureIsNotAnAbsentOne(t *testing.T) {
	const name = "fresh-outbound"
	raw := readRaw(t, name, "backup.json")
	for what, change := range map[string]func(sig []any) any{
		"too short": func(sig []any) any { return sig[:63] },
		"too long":  func(sig []any) any { return append(slices.Clone(sig), 1) },
		"a text":    func([]any) any { return "signature" },
		"empty":     func([]any) any { return []any{} },
		"null":      func([]any) any { return nil },
	} {
		for _, all := range []bool{true, false} {
			file, values := entriesOf(t, raw)
			changed := 0
			for _, v := range values {
				entry := v.([]any)
				if changed == 0 || all {
					entry[2] = change(entry[2].([]any))
					changed++
				}
			}
			bad, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			r := verify(t, parse(t, bad, "backup.json"), secretOf(t, name))
			if got := r.Count(Wrong); got != changed || r.Proven() || !r.Signed() {
				t.Errorf("%s: %d of %d wrong, proven %v", what, got, changed, r.Proven())
			}
		}
	}
}

// glrecover snapshot cannot sign what it adds.
func TestAnAddressThatTheSignerDidNotSignIsNamedAndStopsNothing(t *testing.T) {
	const name = "inbound-used"
	b := load(t, name, "backup.json")
	peer := b.Channels[0].Peer
	if err := b.SetPeer(peer, vlsstate.Peer{Addr: "peer.example:9735", Direction: vlsstate.Out}); err != nil {
		t.Fatal(err)
	}
	r := verify(t, b, secretOf(t, name))
	at := slices.IndexFunc(r.Entries, func(c Check) bool { return c.Kind == PeerAddress })
	if at < 0 || r.Entries[at].Status != NotProvable || r.Entries[at].Entry != "peers/"+peer.String() || !r.Proven() {
		t.Errorf("proven %v: %+v", r.Proven(), r.Entries)
	}
	// No other kind of entry may lose its signature, and a deleted peer neither.
	b.Entries.Get("peers/" + peer.String()).Version = vlsstate.TombstoneVersion
	b.Entries.Get("trackers/" + b.NodeID.String()).Signature = nil
	if r := verify(t, b, secretOf(t, name)); r.Count(Missing) != 2 || r.Proven() {
		t.Errorf("%d missing", r.Count(Missing))
	}
}

// Every signature that is left verifies.
func TestAChannelCutOutOfTheFileIsMissing(t *testing.T) {
	const name = "three-peers"
	file, values := entriesOf(t, readRaw(t, name, "backup.json"))
	for key := range values {
		if strings.HasPrefix(key, "channels/") {
			delete(values, key)
			break
		}
	}
	cut, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, parse(t, cut, "backup.json"), secretOf(t, name))
	last := r.Entries[len(r.Entries)-1]
	if last.Kind != WatchedChannels || last.Status != Missing || !strings.Contains(last.Text, "watches 5 funding outputs, but the channels of 1") ||
		r.Proven() || r.Count(Wrong) != 0 {
		t.Errorf("%+v", last)
	}
}

func TestACommitmentThatTheNumbersPromiseMustBeThere(t *testing.T) {
	const name = "used-both-ways"
	b := load(t, name, "backup.json")
	s := &b.Channels[0].State
	s.HolderCommit, s.HolderSigs = nil, nil
	if r := verify(t, b, secretOf(t, name)); statusOf(r, 1, HolderCommitment) != Wrong || r.Proven() {
		t.Errorf("%+v", r.Channels[0].Checks)
	}
}

func TestAnUnreadableEntryIsWrong(t *testing.T) {
	const name = "three-peers"
	raw := bytes.Replace(readRaw(t, name, "backup.json"), []byte(`"funding_outpoint"`), []byte(`"funding_outpoimt"`), 1)
	r := verify(t, parse(t, raw, "backup.json"), secretOf(t, name))
	var form, signature bool
	for _, c := range r.Entries {
		form = form || c.Kind == EntryForm && c.Status == Wrong
		signature = signature || c.Kind == EntrySignature && c.Status == Wrong
	}
	if !form || !signature || r.Proven() {
		t.Errorf("form %v, signature %v", form, signature)
	}
}

// One story with three endings that must not look alike.
func TestWrongSeedDamagedFileAndOlderEntryReadDifferently(t *testing.T) {
	newer := load(t, "stale", "signer_state_after.json")
	birth := load(t, "stale", "backup.json")
	secret := secretOf(t, "stale")

	wrongSeed := verify(t, newer, secretOf(t, "three-peers"))
	if !wrongSeed.WrongNode() || wrongSeed.Node.Status != Wrong || wrongSeed.Entries != nil || wrongSeed.Proven() {
		t.Errorf("wrong seed: %+v", wrongSeed)
	}

	damaged := load(t, "stale", "signer_state_after.json")
	at := slices.IndexFunc(damaged.Entries, func(e vlsstate.Entry) bool { return strings.HasPrefix(e.Key, "channels/") })
	damaged.Entries[at].Value = bytes.Replace(damaged.Entries[at].Value, []byte("1"), []byte("2"), 1)
	changed := verify(t, damaged, secret)
	if changed.Entries[at].Status != Wrong || changed.Proven() {
		t.Errorf("damaged: %+v", changed.Entries[at])
	}

	// The channel's entry of the older snapshot, with its genuine signature.
	mixed := load(t, "stale", "signer_state_after.json")
	older := birth.Entries.Get(mixed.Entries[at].Key)
	if older == nil || older.Version >= mixed.Entries[at].Version {
		t.Fatal("no older entry")
	}
	mixed.Entries[at] = *older
	genuine := verify(t, mixed, secret)
	if genuine.Entries[at].Status != Proven || !genuine.Proven() {
		t.Errorf("older: %+v", genuine.Entries[at])
	}

	texts := []string{wrongSeed.Node.Text, changed.Entries[at].Text, Freshness}
	for i, want := range []string{"another node", "changed after the signer wrote it", "not that it is the latest one"} {
		if !strings.Contains(texts[i], want) {
			t.Errorf("%q does not say %q", texts[i], want)
		}
	}
}

func TestADamagedNodeIDIsNotTheSecretsFault(t *testing.T) {
	const name = "used-both-ways"
	genuine := load(t, name, "backup.json")
	other := load(t, "three-peers", "backup.json").NodeID
	raw := bytes.Replace(readRaw(t, name, "backup.json"),
		[]byte(`"node_id": "`+genuine.NodeID.String()), []byte(`"node_id": "`+other.String()), 1)
	b := parse(t, raw, "backup.json")
	f := DamagedNodeID(b, genuine.NodeID)
	if f == nil || f.Name != failure.WrongNode || !strings.Contains(f.Error(), "the secret is right") || f.Data.(Diagnosis).Mistake != NodeIDMistake {
		t.Errorf("%v", f)
	}
	// Nothing is wrong with the file, or the secret is.
	for _, f := range []*failure.Error{DamagedNodeID(genuine, genuine.NodeID), DamagedNodeID(b, other), DamagedNodeID(genuine, other)} {
		if f != nil {
			t.Errorf("%v", f)
		}
	}
}

func TestAWrongNodeIsExplained(t *testing.T) {
	b := load(t, "used-both-ways", "backup.json")
	raw := readRaw(t, "used-both-ways", "hsm_secret.hex")
	right := unhex(t, strings.TrimSpace(string(raw)))
	slices.Reverse(right)
	source := keychain.FromBytes(right)
	secret, err := source.Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := secret.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	f := Diagnose(t.Context(), b.NodeID, source, &made)
	data, ok := f.Data.(Diagnosis)
	if f.Name != failure.WrongNode || !ok || data.Mistake != keychain.ReversedMistake || !data.Certain || data.BackupNode != b.NodeID || *data.SecretNode != made {
		t.Errorf("%v, %+v", f, f.Data)
	}
	for _, text := range []string{"reverse order", b.NodeID.String(), made.String()} {
		if !strings.Contains(f.Error(), text) {
			t.Errorf("%v does not say %s", f, text)
		}
	}
	// A source that was not understood has no node.
	f = Diagnose(t.Context(), b.NodeID, keychain.FromBytes([]byte("?")), nil)
	if f.Name != failure.WrongNode || !strings.Contains(f.Error(), "secret is not valid") {
		t.Errorf("%v", f)
	}
}

// Without the passphrase nobody can say which node the file makes, but the node
// that runs with it knows.
func TestAWrongNodeWithAPassphraseIsExplainedBesideTheRunningNode(t *testing.T) {
	const words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	want, err := secretFrom(t, []byte(words)).NodeID()
	if err != nil {
		t.Fatal(err)
	}
	running := load(t, "used-both-ways", "backup.json").NodeID
	file := append(bytes.Repeat([]byte{1}, 32), words...)
	f := Diagnose(t.Context(), want, keychain.FromBytes(file), &running)
	for _, text := range []string{"adds a passphrase", want.String(), running.String()} {
		if !strings.Contains(f.Error(), text) {
			t.Errorf("%v does not say %s", f, text)
		}
	}
	if strings.Contains(f.Error(), "secret is not valid") {
		t.Errorf("%v", f)
	}
}

func TestOnlyWordsGetTheWalletWarning(t *testing.T) {
	words := "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	for _, c := range []struct {
		raw  []byte
		want int
	}{
		{append(make([]byte, 32), words...), 1},
		{[]byte(words), 0},
		{make([]byte, 32), 0},
	} {
		if got := Warnings(secretFrom(t, slices.Clone(c.raw))); len(got) != c.want {
			t.Errorf("%d bytes: %q", len(c.raw), got)
		}
	}
}

func TestAWipedSecretIsAnError(t *testing.T) {
	s := secretOf(t, "stale")
	s.Wipe()
	if _, err := Verify(load(t, "stale", "backup.json"), s); !errors.Is(err, keychain.ErrWiped) {
		t.Errorf("%v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	backup, secret := load(b, "three-peers", "backup.json"), secretOf(b, "three-peers")
	b.ReportMetric(float64(len(backup.Channels)), "channels")
	for b.Loop() {
		if r, err := Verify(backup, secret); err != nil || !r.Proven() {
			b.Fatal(fmt.Sprint(err))
		}
	}
}
