package vlsstate

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

func TestACutSignatureCostsNothingElse(t *testing.T) {
	whole := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	b, err := ReadFile(filepath.Join(inputs, "cut-signature.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Problems) != 1 || b.Problems[0].Effect != FieldLost ||
		b.Problems[0].Field != "enforcement_state.current_counterparty_signatures[0]" {
		t.Fatal(b.Problems)
	}
	want := channel.Share{Sat: 673_960, From: channel.FromCommitment}
	if got := b.Channels[0].LastKnownShare(); got != want {
		t.Errorf("share %+v, want %+v", got, want)
	}
	left := whole.Channels[0].State
	left.HolderSigs, left.Unread = nil, []string{"current_counterparty_signatures"}
	if got := b.Channels[0].State; !reflect.DeepEqual(got, left) {
		t.Errorf("%+v", got)
	}
}

func TestTheStateOfVLSBefore011IsReadWithoutARemark(t *testing.T) {
	b := parsed(t, filepath.Join(inputs, "vls-0.10.json"))
	if len(b.Problems) != 0 || len(b.Channels[0].State.Unread) != 0 || b.Channels[0].LastKnownShare().Sat != 673_960 {
		t.Errorf("%v %+v", b.Problems, b.Channels[0].State.Unread)
	}
}

// One of the used channel's fields at a time is no longer what it was: the file
// still gives the channel, the share by another way, and one complaint.
func TestEachFieldOfTheStateFailsAlone(t *testing.T) {
	text := load(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	good := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json")).Channels[0]
	byCommitment, byBirth := good.LastKnownShare(), channel.Share{Sat: good.State.InitialHolderValueSat, From: channel.FromBirth}
	for _, name := range []string{
		"channel_closed", "initial_holder_value", "next_holder_commit_num", "next_counterparty_commit_num",
		"next_counterparty_revoke_num", holderCommit, "current_counterparty_signatures", "next_holder_commit_info",
		counterpartyCommit, "current_counterparty_point", "previous_counterparty_commit_info", "previous_counterparty_point",
		"counterparty_secrets",
	} {
		for _, bad := range []string{`{"no": 1}`, `"03"`, "18446744073709551615", "[[]]"} {
			broken := bytes.Replace(text, []byte(`"`+name+`": `), []byte(`"`+name+`": `+bad+`, "replaced": `), 1)
			b, err := Parse(broken)
			if err != nil || len(b.Channels) != 1 {
				t.Fatalf("%s: %v", name, err)
			}
			if len(b.Problems) != 2 || b.Problems[0].Effect != FieldLost || stateField(b.Problems[0]) != name || b.Problems[1].Effect != Noted {
				t.Errorf("%s: %v", name, b.Problems)
			}
			if got := b.Channels[0].LastKnownShare(); got != byCommitment {
				t.Errorf("%s: share %+v", name, got)
			}
		}
		missing := bytes.Replace(text, []byte(`"`+name+`": `), []byte(`"renamed": `), 1)
		b, err := Parse(missing)
		if err != nil || len(b.Channels) != 1 || b.Channels[0].LastKnownShare().From == channel.ShareUnknown {
			t.Errorf("%s missing: %v", name, err)
		}
	}
	both := string(text)
	for _, name := range []string{holderCommit, counterpartyCommit} {
		both = strings.Replace(both, `"`+name+`": `, `"`+name+`": 0, "x": `, 1)
	}
	both = strings.Replace(both, `"x": `, `"y": `, 1)
	b, err := Parse([]byte(both))
	if err != nil || b.Channels[0].LastKnownShare() != byBirth {
		t.Errorf("no commitment: %v, %+v", err, b.Channels[0].LastKnownShare())
	}
	b, err = Parse([]byte(strings.Replace(both, `"initial_holder_value": `, `"initial_holder_value": -`, 1)))
	if got := b.Channels[0].LastKnownShare(); err != nil || got.From != channel.ShareUnknown || got.Msat() != nil {
		t.Errorf("nothing: %v, %+v", err, got)
	}
}

// What no recovery needs loses nothing but itself.
func TestWhatNoRecoveryNeedsLosesNoChannel(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "used-both-ways", "backup.json")))
	good := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json")).Channels[0]
	for _, c := range []struct {
		old, repl string
		field     string
		effect    Effect
	}{
		{`"push_value_msat": 0`, `"push_value_msat": null`, "channel_setup.push_value_msat", Noted},
		{`"push_value_msat": 0`, `"pushed": 0`, "channel_setup.push_value_msat", Noted},
		{`"holder_shutdown_script": null`, `"holder_shutdown_script": "00"`, "channel_setup.holder_shutdown_script", Noted},
		{`"counterparty_shutdown_script": null`, `"counterparty_shutdown_script": 1`, "channel_setup.counterparty_shutdown_script", Noted},
		{`"channel_value_satoshis": 1000000`, `"channel_value_satoshis": 1`, "channel_value_satoshis", Noted},
		{`"channel_value_satoshis": 1000000`, `"channel_value": 1`, "channel_value_satoshis", Noted},
		{`"holder_selected_contest_delay": 6`, `"holder_selected_contest_delay": null`, "channel_setup.holder_selected_contest_delay", FieldLost},
		{`"counterparty_selected_contest_delay": 9`, `"counterparty_selected_contest_delay": 65536`, "channel_setup.counterparty_selected_contest_delay", FieldLost},
		{`"created_at": "20`, `"created_at": "`, "created_at", Noted},
		{`"created_at": "2026`, `"created_at": "1970-01-01T00:00:00Z", "x": "`, "", Noted},
		{`"created_at": "2026-11-24T23:53:13Z"`, `"created_at": "1970-01-01T00:00:00Z"`, "created_at", Noted},
		{`"created_at": "2026-11-24T23:53:13Z"`, `"created_at": null`, "created_at", Noted},
		{`"updates": 1`, `"updates": 0`, "strategy", Noted},
		{`"periodic": {`, `"hourly": {`, "strategy", Noted},
	} {
		b, err := Parse([]byte(replaced(t, text, c.old, c.repl, 0)))
		if c.field == "" {
			if failure.NameOf(err) != failure.NotABackup {
				t.Errorf("%s: %v", c.repl, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.repl, err)
			continue
		}
		found := false
		for _, p := range b.Problems {
			found = found || p.Field == c.field && p.Effect == c.effect
			if p.Effect < c.effect {
				t.Errorf("%s: %v", c.repl, p)
			}
		}
		if !found || len(b.Channels) != 1 || b.Channels[0].LastKnownShare() != good.LastKnownShare() || b.Channels[0].Funding != good.Funding {
			t.Errorf("%s: problems %v", c.repl, b.Problems)
		}
		// It can be written again.
		if b.CreatedAt.IsZero() {
			b.CreatedAt = time.Unix(1_800_000_000, 0)
		}
		if _, err := Encode(b); err != nil {
			t.Errorf("%s: %v", c.repl, err)
		}
	}
	for _, optional := range []string{"holder_shutdown_script", "counterparty_shutdown_script"} {
		b, err := Parse([]byte(strings.Replace(text, `"`+optional+`": null,`, "", 1)))
		if err != nil || len(b.Problems) != 0 || len(b.Channels) != 1 {
			t.Errorf("no %s: %v %v", optional, err, b.Problems)
		}
	}
}

func TestTheShareComesFromTheAmountsOfADamagedCommitment(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpus, "used-both-ways", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	good := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json")).Channels[0]
	// Both commitments lose their feerate, so that neither can be rebuilt.
	b, err := Parse(bytes.ReplaceAll(text, []byte(`"feerate_per_kw": `), []byte(`"feerate_per_kw": -`)))
	if err != nil || len(b.Problems) != 2 {
		t.Fatal(err, b.Problems)
	}
	if got := b.Channels[0]; got.State.HolderCommit != nil || got.LastKnownShare() != good.LastKnownShare() {
		t.Errorf("%+v", got.LastKnownShare())
	}
	// Amounts that say they are the other side's are not taken for ours.
	swapped := bytes.ReplaceAll(text, []byte(`_broadcaster": true`), []byte(`_broadcaster": 2`))
	swapped = bytes.ReplaceAll(swapped, []byte(`_broadcaster": false`), []byte(`_broadcaster": true`))
	swapped = bytes.ReplaceAll(swapped, []byte(`_broadcaster": 2`), []byte(`_broadcaster": false`))
	b, err = Parse(swapped)
	if err != nil || b.Channels[0].LastKnownShare().From != channel.FromBirth {
		t.Errorf("%v %+v", err, b.Channels[0].LastKnownShare())
	}
}
