package vlsstate

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// pretty text of one channel's state in a genuine file.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	body, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("no text between %q and %q", from, to)
	}
	return body
}

func TestWhatContradictsItselfIsNotBelievedAndTheRestIs(t *testing.T) {
	inFlight := string(load(t, filepath.Join(corpus, "htlc-in-flight", "backup.json")))
	forced := string(load(t, filepath.Join(corpus, "force-closed", "backup.json")))
	point := between(t, inFlight, `"current_counterparty_point": `, ",")
	sigs := between(t, inFlight, `"current_counterparty_signatures": [`, `"current_holder_commit_info"`)
	for _, c := range []struct {
		name, text, old, repl string
		n                     int
		field                 string
	}{
		{"our commitment before the first", inFlight, `"next_holder_commit_num": 7`, `"next_holder_commit_num": 0`, 0, "current_holder_commit_info"},
		{"their commitment before the first", inFlight, `"next_counterparty_commit_num": 6`, `"next_counterparty_commit_num": 0`, 0, "current_counterparty_commit_info"},
		{"a commitment without point", inFlight, `"current_counterparty_point": ` + point, `"current_counterparty_point": null`, 0, "current_counterparty_point"},
		{"the current commitment revoked", inFlight, `"next_counterparty_revoke_num": 5`, `"next_counterparty_revoke_num": 6`, 0, "next_counterparty_revoke_num"},
		{"a commitment that nobody signed", inFlight, `"current_counterparty_signatures": [` + sigs, `"current_counterparty_signatures": null, `, 0, "current_counterparty_signatures"},
		{"an HTLC that nobody signed", inFlight, sigs, sigs[:strings.LastIndex(sigs, ",\n                \"")] + "]],", 0, "current_counterparty_signatures"},
		{"a secret too few", inFlight, `"next_counterparty_revoke_num": 5`, `"next_counterparty_revoke_num": 4`, 0, "counterparty_secrets"},
		{"an HTLC of nothing", inFlight, `"value_sat": 3000`, `"value_sat": 0`, 0, "current_counterparty_commit_info.received_htlcs[0].value_sat"},
		{"a hash of 31 bytes", inFlight, `"payment_hash": [` + "\n                    ", `"payment_hash": [], "x": [`, 0, "current_counterparty_commit_info.offered_htlcs[0].payment_hash"},
		{"a hash with 256 in it", inFlight, `"payment_hash": [` + "\n                    ", `"payment_hash": [256, `, 0, "current_counterparty_commit_info.offered_htlcs[0].payment_hash"},
		{"a flag of words", inFlight, `"channel_closed": false`, `"channel_closed": "no"`, 0, "channel_closed"},
		{"a feerate beyond 32 bits", inFlight, `"feerate_per_kw": 1255`, `"feerate_per_kw": 4294967296`, 0, "current_counterparty_commit_info.feerate_per_kw"},
		{"a previous commitment of a first one", forced, `"next_counterparty_commit_num": ` + previousNumbers(t, forced), `"next_counterparty_commit_num": 1`, 0, "previous_counterparty_commit_info"},
		{"a previous commitment without point", forced, `"previous_counterparty_point": "`, `"previous_counterparty_point": null, "x": "`, previousIndex(t, forced), "previous_counterparty_point"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Parse([]byte(replaced(t, c.text, c.old, c.repl, c.n)))
			if err != nil {
				t.Fatal(err)
			}
			good, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Problems) == 0 || b.Problems[0].Field != "enforcement_state."+c.field || b.Problems[0].Effect != FieldLost {
				t.Fatalf("problems %v", b.Problems)
			}
			for i, ch := range b.Channels {
				bad := ch.Key == *b.Problems[0].Channel
				if bad != (len(ch.State.Unread) > 0) || bad && ch.State.Unread[0] != stateField(b.Problems[0]) {
					t.Errorf("unread %v", ch.State.Unread)
				}
				if got, want := ch.LastKnownShare(), good.Channels[i].LastKnownShare(); got != want {
					t.Errorf("share %+v, want %+v", got, want)
				}
			}
		})
	}
}

// previousIndex finds which channel of the file holds an unrevoked previous
// commitment, previousNumbers its next_counterparty_commit_num.
func previousIndex(t *testing.T, text string) int {
	t.Helper()
	b, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range b.Channels {
		if c.State.PrevCounterpartyCommit != nil {
			return i
		}
	}
	t.Fatal("no previous commitment")
	return 0
}

func previousNumbers(t *testing.T, text string) string {
	t.Helper()
	parts := strings.Split(text, `"next_counterparty_commit_num": `)
	n, _, _ := strings.Cut(parts[previousIndex(t, text)+1], ",")
	return n
}

func TestASecondHolderCommitmentIsReadWithItsSignatures(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "htlc-in-flight", "backup.json")))
	info := between(t, text, `"current_holder_commit_info": `, ",\n            \"initial_holder_value\"")
	sigs := between(t, text, `"current_counterparty_signatures": `, ",\n            \"current_holder_commit_info\"")
	const old = `"next_holder_commit_info": null`
	b, err := Parse([]byte(replaced(t, text, old, `"next_holder_commit_info": [`+info+","+sigs+"]", 0)))
	if err != nil || len(b.Problems) != 0 {
		t.Fatal(err, b.Problems)
	}
	s := b.Channels[0].State
	if s.NextHolderCommit == nil || !reflect.DeepEqual(s.NextHolderCommit, s.HolderCommit) || !reflect.DeepEqual(s.NextHolderSigs, s.HolderSigs) {
		t.Errorf("%+v", s.NextHolderCommit)
	}
	if len(s.NextHolderSigs.HTLCs) != 3 || !bytes.HasPrefix(s.NextHolderSigs.Commit, []byte{0x30}) {
		t.Errorf("%+v", s.NextHolderSigs)
	}
	for name, repl := range map[string]string{
		"no signatures":      `"next_holder_commit_info": [` + info + `]`,
		"too few signatures": `"next_holder_commit_info": [` + info + `, ["` + between(t, sigs, `"`, `"`) + `", []]]`,
	} {
		b, err := Parse([]byte(replaced(t, text, old, repl, 0)))
		if err != nil || len(b.Problems) != 1 || b.Problems[0].Field != "enforcement_state.next_holder_commit_info" {
			t.Errorf("%s: %v %v", name, err, b.Problems)
		}
	}
}

func TestAnUpfrontShutdownScriptIsRead(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	text = replaced(t, text, `"holder_shutdown_script": null`, `"holder_shutdown_script": [0, 20, 255]`, 0)
	b, err := Parse([]byte(text))
	if err != nil || len(b.Problems) != 0 {
		t.Fatal(err, b.Problems)
	}
	if c := b.Channels[0]; !bytes.Equal(c.HolderShutdownScript, []byte{0, 20, 255}) || c.CounterpartyShutdownScript != nil {
		t.Errorf("%x %x", c.HolderShutdownScript, c.CounterpartyShutdownScript)
	}
}

func TestHeightsAreReadWhereTheSignerSawBlocks(t *testing.T) {
	text := string(load(t, filepath.Join(corpus, "fresh-outbound", "backup.json")))
	for _, r := range [][2]string{
		{`"funding_height": null`, `"funding_height": 103`},
		{`"mutual_closing_height": null`, `"mutual_closing_height": 0`},
		{`"unilateral_closing_height": null`, `"unilateral_closing_height": 4294967295`},
	} {
		text = replaced(t, text, r[0], r[1], 0)
	}
	b, err := Parse([]byte(text))
	if err != nil || len(b.Problems) != 0 {
		t.Fatal(err, b.Problems)
	}
	h := b.Heights[b.Channels[0].Funding]
	if h.Funding == nil || *h.Funding != 103 || h.MutualClose == nil || *h.MutualClose != 0 ||
		h.UnilateralClose == nil || *h.UnilateralClose != 1<<32-1 || h.ClosingSwept != nil {
		t.Errorf("%+v", h)
	}
}
