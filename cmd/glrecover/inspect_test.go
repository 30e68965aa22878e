package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/vlsstate"
)

var update = flag.Bool("update", false, "write the golden files anew")

// runCLI runs a command line at a fixed time.
func runCLI(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	c := &cli{
		stdin: strings.NewReader(""), stdout: &out, stderr: &err,
		now: func() time.Time { return time.Date(2026, 12, 6, 12, 0, 0, 0, time.UTC) },
	}
	return c.run(args), out.String(), err.String()
}

func backups(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(corpusDir, "*", "backup*.json"))
	if err != nil || len(found) < 16 {
		t.Fatalf("%d backups in the corpus, %v", len(found), err)
	}
	return found
}

func TestInspectListsTheChannelsThatGreenlightLists(t *testing.T) {
	for _, path := range backups(t) {
		if filepath.Base(path) != "backup.json" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), "glclient-inspect.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want []struct {
			ChannelKey      string  `json:"channel_key"`
			PeerID          string  `json:"peer_id"`
			PeerAddr        *string `json:"peer_addr"`
			FundingSats     uint64  `json:"funding_sats"`
			Opener          string  `json:"opener"`
			CommitmentType  string  `json:"commitment_type"`
			FundingOutpoint struct {
				Vout uint32 `json:"vout"`
			} `json:"funding_outpoint"`
		}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := runCLI(t, "inspect", "--json", path)
		if code != exitOK || stderr != "" {
			t.Fatalf("%s: exit code %d, %s", path, code, stderr)
		}
		var got inventoryForTest
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Channels) != len(want) {
			t.Fatalf("%s: %d channels, want %d", path, len(got.Channels), len(want))
		}
		for i, w := range want {
			g := got.Channels[i]
			addr := ""
			if w.PeerAddr != nil {
				addr = *w.PeerAddr
			}
			if g.ChannelKey != w.ChannelKey || g.PeerID != w.PeerID || g.BackupAddress != addr ||
				g.CapacityMsat != 1000*w.FundingSats || g.Opener != w.Opener ||
				g.ChannelType != w.CommitmentType || g.FundingOutnum != w.FundingOutpoint.Vout {
				t.Errorf("%s: channel %d is %+v, want %+v", path, i, g, w)
			}
		}
	}
}

// inventoryForTest reads the JSON as a program would, by its names.
type inventoryForTest struct {
	Channels []struct {
		ChannelKey      string `json:"channel_key"`
		ChannelID       string `json:"channel_id"`
		PeerID          string `json:"peer_id"`
		BackupAddress   string `json:"backup_address"`
		CapacityMsat    uint64 `json:"capacity_msat"`
		Opener          string `json:"opener"`
		ChannelType     string `json:"channel_type"`
		FundingTxid     string `json:"funding_txid"`
		FundingOutnum   uint32 `json:"funding_outnum"`
		ShareMsat       uint64 `json:"last_known_share_msat"`
		ShareFrom       string `json:"share_from"`
		OfferedMsat     uint64 `json:"htlcs_offered_msat"`
		ReceivedMsat    uint64 `json:"htlcs_received_msat"`
		SignerClosed    bool   `json:"closed_according_to_signer"`
		SnapshotProves  string `json:"snapshot_proves"`
		AddressIsTyped  string `json:"address"`
		AddressIsSource string `json:"address_source"`
	} `json:"channels"`
}

// What inspect says of balances is what the real node said at that time, less
// the fee and the anchors that the opener pays.
func TestInspectAgreesWithTheRealNode(t *testing.T) {
	compared := 0
	for _, path := range backups(t) {
		if filepath.Base(path) != "backup.json" {
			continue
		}
		var node struct {
			Channels []struct {
				ChannelID   string `json:"channel_id"`
				FundingTxid string `json:"funding_txid"`
				ToUsMsat    uint64 `json:"to_us_msat"`
				Opener      string `json:"opener"`
				State       string `json:"state"`
				HTLCs       []struct {
					Direction  string `json:"direction"`
					AmountMsat uint64 `json:"amount_msat"`
				} `json:"htlcs"`
			} `json:"channels"`
		}
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), "node.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &node); err != nil {
			t.Fatal(err)
		}
		_, stdout, _ := runCLI(t, "inspect", "--json", path)
		var got inventoryForTest
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatal(err)
		}
		for _, g := range got.Channels {
			for _, n := range node.Channels {
				if n.ChannelID != g.ChannelID || g.SnapshotProves != string(provesUse) {
					continue
				}
				if n.FundingTxid != g.FundingTxid {
					t.Errorf("%s: funding %s, the node says %s", path, g.FundingTxid, n.FundingTxid)
				}
				var out uint64
				for _, h := range n.HTLCs {
					if h.Direction == "out" {
						out += h.AmountMsat
					}
				}
				const most = 20_000_000 // fee and anchors, msat
				share := n.ToUsMsat - out
				if g.ShareMsat > share || share-g.ShareMsat > most || n.Opener == "remote" && share-g.ShareMsat >= 1000 {
					t.Errorf("%s: share %d msat, the node says %d", path, g.ShareMsat, share)
				}
				compared++
			}
		}
	}
	if compared < 12 {
		t.Errorf("only %d used channels compared", compared)
	}
}

func TestNoInvoiceIsEverShown(t *testing.T) {
	hashes := 0
	for _, path := range backups(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			State struct {
				Values map[string][]json.RawMessage `json:"values"`
			} `json:"state"`
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		_, text, _ := runCLI(t, "inspect", path)
		_, report, _ := runCLI(t, "inspect", "--json", path)
		_, entries, _ := runCLI(t, "convert", "--json", path)
		shown := text + report + entries
		for key, value := range file.State.Values {
			if !strings.HasPrefix(key, "nodestates/") {
				continue
			}
			var state struct {
				Invoices [][]json.RawMessage `json:"invoices"`
			}
			if err := json.Unmarshal(value[1], &state); err != nil {
				t.Fatal(err)
			}
			for _, invoice := range state.Invoices {
				var hash string
				if err := json.Unmarshal(invoice[0], &hash); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(shown, hash) {
					t.Errorf("%s: a payment hash is shown", path)
				}
				hashes++
			}
		}
		for _, word := range []string{"invoice", "payee", "preimage"} {
			if strings.Contains(shown, word) {
				t.Errorf("%s: shows %q", path, word)
			}
		}
	}
	if hashes < 20 {
		t.Fatalf("only %d invoices in the corpus", hashes)
	}
}

func TestInspectReadsLikeThis(t *testing.T) {
	for _, name := range []string{"three-peers", "htlc-in-flight", "fresh-outbound", "closed-one", "stale"} {
		code, stdout, stderr := runCLI(t, "inspect", filepath.Join(corpusDir, name, "backup.json"))
		if code != exitOK || stderr != "" {
			t.Fatalf("%s: exit code %d, %s", name, code, stderr)
		}
		golden := filepath.Join("testdata", "golden", name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if stdout != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, stdout, want)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAResultThatCannotBeWrittenIsExitCode4(t *testing.T) {
	for _, args := range [][]string{
		{"inspect", filepath.Join(corpusDir, "stale", "backup.json")},
		{"convert", filepath.Join(corpusDir, "stale", "backup.json")},
		{"version"},
		{"help"},
	} {
		var stderr bytes.Buffer
		c := &cli{stdin: strings.NewReader(""), stdout: fullDisk{}, stderr: &stderr, now: time.Now}
		if code := c.run(args); code != exitWrite || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%s: exit code %d, %s", args, code, &stderr)
		}
	}
}

func TestTotalsOfAFileThatClaimsTooMuchDoNotWrapAround(t *testing.T) {
	b, err := vlsstate.ReadFile(filepath.Join(corpusDir, "fresh-outbound", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		c := *b.Channels[0]
		c.CapacitySat, c.State.InitialHolderValueSat, c.State.HolderCommit, c.State.CounterpartyCommit = 21e14, 21e14, nil, nil
		b.Channels = append(b.Channels, &c)
	}
	if got := takeInventory(b, nil, time.Now()).Totals; got.CapacityMsat != math.MaxUint64 || got.LastKnownShareMsat != math.MaxUint64 {
		t.Errorf("%+v", got)
	}
}
