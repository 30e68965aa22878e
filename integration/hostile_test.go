package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// Whatever is typed or fed in, the node is as before, the plugin is the same
// process, and it still answers. The backups are genuine ones of the corpus,
// changed where the case says so; the user's statement is always given, so
// that nothing but the case itself stands in the way.
func TestHostileInputNeverChangesTheNodeNorStopsThePlugin(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	own := openCorpus(t, "three-peers")
	other := openCorpus(t, "used-both-ways")
	node := n.CLN("node", h.CLNConfig{Secret: own.secret, Plugin: true})

	file := func(name string, raw []byte) string { return n.WriteFile(name, raw) }
	// What a person can type is typed.
	typed := func(args ...string) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) {
			return node.CLI(append([]string{"-J", "-k", "glrecover"}, args...)...).Answer("glrecover")
		}
	}
	const yes = "decommissioned=true"
	call := func(backup string) func() (json.RawMessage, error) { return typed("backup="+backup, yes) }
	// A shell gives one argument no more than 128 KiB.
	inline := func(raw []byte) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) {
			return node.CallRaw("glrecover", []byte(`{"backup":`+string(raw)+`,"decommissioned":true,"dry_run":true}`))
		}
	}
	edited := func(change func(d document)) []byte {
		d := parse(t, own.raw)
		change(d)
		return d.bytes(t)
	}
	first := parse(t, own.raw).channelKeys()[0]
	one := func(change func(d document, key string)) []byte {
		return edited(func(d document) { d.only(first); change(d, first) })
	}
	garbage := make([]byte, 100<<20)
	_, _ = rand.Read(garbage)
	relative, err := filepath.Rel(filepath.Join(node.Dir, "regtest"), own.path)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name string
		run  func() (json.RawMessage, error)
		// refusal is the stable name of the error; "" means that the call
		// succeeds: a dry run, or a real one that leaves out its only channel
		// and keeps a record of that.
		refusal string
		// has must be in the answer or in the error.
		has string
	}{
		{"no flag", typed("backup=" + own.path), "not_decommissioned", "hosted node"},
		{"flag is false", typed("backup="+own.path, "decommissioned=false"), "not_decommissioned", ""},
		{"flag is misspelt", typed("backup="+own.path, "decomissioned=true"), "invalid_parameter", "decomissioned"},
		{"flag is a number", typed("backup="+own.path, "decommissioned=1"), "invalid_parameter", "decommissioned"},
		{"flag twice", typed("backup="+own.path, "decommissioned=false", yes), "invalid_parameter", "decommissioned"},
		{"dry_run is null", typed("backup="+own.path, yes, "dry_run=null"), "invalid_parameter", "dry_run"},
		{"backup is null", call("null"), "invalid_parameter", "backup"},
		{"backup is missing", typed(yes), "invalid_parameter", "backup"},
		{"relative path", call(relative), "invalid_parameter", own.path},
		{"no such file", call("/nonexistent/backup.json"), "backup_unreadable", ""},
		{"a directory", call(n.Dir), "backup_unreadable", ""},
		{"a device", call("/dev/zero"), "backup_unreadable", ""},
		{"empty file", call(file("empty", nil)), "not_a_backup", ""},
		{"100 MB of garbage", call(file("garbage", garbage)), "not_a_backup", ""},
		{"half a backup", call(file("half", own.raw[:len(own.raw)/2])), "not_a_backup", ""},
		{"the secret", call(file("secret", own.secret[:])), "not_a_backup", ""},
		{"another node's backup", call(other.path), "wrong_node", ""},
		{"another network's backup", call(file("network", edited(func(d document) {
			for k, v := range d.values() {
				if strings.HasPrefix(k, "nodes/") {
					v.([]any)[1].(map[string]any)["network"] = "bitcoin"
					d.values()[k] = v.([]any)[:2]
				}
			}
		}))), "wrong_network", ""},
		{"version 2", call(file("version", edited(func(d document) { d["version"] = 2 }))), "unsupported_version", ""},
		{"unknown field", call(file("field", edited(func(d document) { d["extra"] = 1 }))), "not_a_backup", ""},
		{"blank lines in an inline object", inline(bytes.ReplaceAll(own.raw, []byte("\n"), []byte("\n\n"))), "", `"would_import"`},
		{"2^64-1 inline", inline(edited(func(d document) {
			for k, v := range d.values() {
				if strings.HasPrefix(k, "allowlists/") {
					v.([]any)[0] = json.Number(fmt.Sprint(uint64(math.MaxUint64)))
				}
			}
		})), "", `"would_import"`},
		{"dbid 0", call(file("dbid0", one(func(d document, k string) { d.redub(k, 0) }))), "", "dbid"},
		{"dbid 2^31", call(file("dbid31", one(func(d document, k string) { d.redub(k, 1<<31) }))), "", "dbid"},
		{"a point off the curve", call(file("curve", one(func(d document, k string) {
			setup := d.channel(k)["channel_setup"].(map[string]any)
			setup["counterparty_points"].(map[string]any)["payment_point"] = "02" + strings.Repeat("ff", 32)
		}))), "", "payment"},
		{"an amount above all bitcoin", call(file("amount", one(func(d document, k string) {
			d.channel(k)["channel_setup"].(map[string]any)["channel_value_sat"] = json.Number("2100000000000001")
		}))), "", "channel_value_sat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, pids := node.Snapshot(), node.PluginPIDs()
			result, err := c.run()
			text := string(result)
			if err != nil {
				text = err.Error()
			}
			if e := h.AsRPCError(err); c.refusal != "" && (e == nil || !strings.HasPrefix(e.Message, c.refusal+":")) {
				t.Errorf("got %s, want a refusal %s", clip(text), c.refusal)
			}
			if !strings.Contains(text, c.has) {
				t.Errorf("%s does not mention %q", clip(text), c.has)
			}
			if bytes.Contains(result, []byte(`"result":"imported"`)) {
				t.Errorf("something was imported: %s", clip(text))
			}
			t.Logf("answer: %s", clip(text))
			after := node.Snapshot()
			if c.refusal == "" {
				before, after = withoutRecord(before), withoutRecord(after)
			}
			if after != before {
				t.Errorf("the node changed:\n%s\nbefore:\n%s", after, before)
			}
			if now := node.PluginPIDs(); len(now) != 1 || !slices.Equal(now, pids) {
				t.Errorf("the plugin's process was %v and is %v", pids, now)
			}
			node.Status()
		})
	}
}

// withoutRecord drops the datastore from a snapshot.
func withoutRecord(snapshot string) string {
	before, after, _ := strings.Cut(snapshot, "listdatastore ")
	_, after, _ = strings.Cut(after, "\n")
	return before + after
}

func clip(s string) string {
	if len(s) > 700 {
		return s[:700] + "..."
	}
	return s
}

func TestOneBadChannelAmongFiveIsNamedAndTheOthersAreImported(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	for _, c := range []struct {
		name   string
		change func(d document, key string)
	}{
		{"point off the curve", func(d document, k string) {
			setup := d.channel(k)["channel_setup"].(map[string]any)
			setup["counterparty_points"].(map[string]any)["payment_point"] = "02" + strings.Repeat("ff", 32)
		}},
		{"dbid 0", func(d document, k string) { d.redub(k, 0) }},
		{"dbid 2^31", func(d document, k string) { d.redub(k, 1<<31) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := h.New(t)
			own := openCorpus(t, "three-peers")
			d := parse(t, own.raw)
			keys := d.channelKeys()
			c.change(d, keys[2])
			node := n.CLN("node", h.CLNConfig{Secret: own.secret, Plugin: true})
			answer := node.Recover(h.Backup{Path: n.WriteFile("backup.json", d.bytes(t)), Label: "genuine, changed"})
			got := answer.Results()
			if len(answer.Channels) != len(keys) || got["imported"] != len(keys)-1 || len(node.Channels()) != len(keys)-1 {
				t.Errorf("results %v, %d stubs; want %d imported and one named:\n%s", got, len(node.Channels()), len(keys)-1, answer.Raw)
			}
			for _, a := range answer.Channels {
				if a.Result != "imported" && a.Reason == "" {
					t.Errorf("no reason for %q: %s", a.Result, answer.Raw)
				}
			}
		})
	}
}

func TestTwoChannelsWithOneDBIDAreNeverSentBoth(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	own := openCorpus(t, "three-peers")
	d := parse(t, own.raw)
	keys := d.channelKeys()
	// Keys are of different peers: the third gets the fourth's dbid.
	d.redub(keys[2], 4)
	node := n.CLN("node", h.CLNConfig{Secret: own.secret, Plugin: true})
	answer := node.Recover(h.Backup{Path: n.WriteFile("backup.json", d.bytes(t))})
	imported := answer.Results()["imported"]
	if imported != len(node.Channels()) || imported == len(keys) {
		t.Errorf("%d said to be imported, %d stubs:\n%s", imported, len(node.Channels()), answer.Raw)
	}
	for _, a := range answer.Channels {
		if a.Result != "imported" && a.Reason == "" {
			t.Errorf("no reason for %q: %s", a.Result, answer.Raw)
		}
	}
}

// The silent clash: lightningd skips an SCB whose dbid any of its channels has.
func TestBackupWhoseDBIDIsTakenIsRefusedNamingBoth(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	own := openCorpus(t, "used-both-ways")
	stranger := n.CLN("stranger", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{Secret: own.secret, Plugin: true})
	funding := n.Open(node, stranger, h.OpenOptions{Sat: 300_000})
	before := node.StaticBackup()
	_, err := node.Glrecover(h.Params{"backup": own.path, "decommissioned": true})
	wantRefusal(t, err, "dbid_conflict", 3113)
	if id := node.Channel(funding).ChannelID; err != nil && !strings.Contains(err.Error(), id) && !strings.Contains(err.Error(), stranger.ID) {
		t.Errorf("the refusal names neither channel %s nor its peer: %v", id, err)
	}
	if after := node.StaticBackup(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("channels changed: %v, before %v", after, before)
	}
}

// A bitcoind that does not answer looks to lightningd like a spent output.
func TestWithBitcoindDownNoChannelIsSaidToBeSpent(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	own := openCorpus(t, "three-peers")
	node := n.CLN("node", h.CLNConfig{Secret: own.secret, Plugin: true, Options: []string{"bitcoin-retry-timeout=600"}})
	before, pids := node.StaticBackup(), node.PluginPIDs()
	n.Bitcoind.Stop()
	answer, err := node.Glrecover(h.Params{"backup": own.path, "dry_run": true})
	if err != nil {
		t.Logf("refused: %v", err)
		if strings.Contains(err.Error(), "spent") && !strings.Contains(err.Error(), "unspent") {
			t.Errorf("the refusal speaks of spent outputs: %v", err)
		}
	} else {
		for _, c := range answer.Channels {
			if c.Funding.State != "unknown" {
				t.Errorf("funding of %s is %q, want unknown", c.ChannelID, c.Funding.State)
			}
		}
	}
	n.Bitcoind.Start()
	if after := node.StaticBackup(); len(after) != len(before) || !slices.Equal(node.PluginPIDs(), pids) {
		t.Errorf("channels %v (before %v), plugin %v (before %v)", after, before, node.PluginPIDs(), pids)
	}
}
