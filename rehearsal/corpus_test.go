package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

var corpus = testdata.Corpus()

// now is some hours after the corpus was made.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func backupOf(t testing.TB, name string) *vlsstate.Backup {
	t.Helper()
	b, err := vlsstate.ReadFile(filepath.Join(corpus, name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// secretOf is the secret of a case.
func secretOf(t testing.TB, name string) *keychain.Secret {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, name, "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keychain.FromBytes(raw).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nodeOf is what the real node of a case said at the time of the backup.
func nodeOf(t testing.TB, name, file string) *Node {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, name, file))
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		ID          channel.PubKey             `json:"id"`
		BlockHeight uint32                     `json:"blockheight"`
		Channels    []lightningd.PeerChannel   `json:"channels"`
		Closed      []lightningd.ClosedChannel `json:"closed"`
		SCB         []string                   `json:"staticbackup_scb"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatal(err)
	}
	n := &Node{ID: said.ID, Network: "regtest", Height: said.BlockHeight, Channels: said.Channels}
	for i := range said.Closed {
		n.Closed = append(n.Closed, channel.ID(said.Closed[i].ID))
	}
	for _, text := range said.SCB {
		e, err := scbconv.DecodeHex(text)
		if err != nil {
			t.Fatal(err)
		}
		n.SCBs = append(n.SCBs, e)
	}
	return n
}

func cases(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpus, "*", "node.json"))
	if err != nil || len(paths) < 14 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(filepath.Dir(p)))
	}
	return names
}

// withSecret adds what the secret of a case proves.
func withSecret(t testing.TB, in Input, name string) Input {
	t.Helper()
	secret := secretOf(t, name)
	defer secret.Wipe()
	var err error
	if in.Proof, err = proof.Verify(in.Backup, secret); err != nil {
		t.Fatal(err)
	}
	if in.Commitments, err = OurCommitments(in.Backup, secret); err != nil {
		t.Fatal(err)
	}
	return in
}

// staticbackup of a real node counts what the peer has revoked at that moment,
// as the signer's state does.
func TestTheNumbersOfEachGenuineBackupAreTheRealNodes(t *testing.T) {
	compared := 0
	for _, name := range cases(t) {
		r := Rehearse(withSecret(t, Input{Backup: backupOf(t, name), Now: now, Node: nodeOf(t, name, "node.json")}, name))
		for i := range r.Channels {
			c := &r.Channels[i]
			if c.Closed && c.Node == nil {
				continue
			}
			switch {
			case c.Node == nil || c.Node.NodeRevoked == nil:
				t.Errorf("%s: channel %d was not compared", name, c.DBID)
			case name == "stale":
				if c.Node.Relation != BackupBehind || *c.Node.NodeRevoked != 40 {
					t.Errorf("%s: %+v", name, c.Node)
				}
			case c.Node.Relation != SameNumbers || *c.Node.NodeRevoked != c.Node.BackupRevoked || c.Node.UnknownHTLCs != 0:
				t.Errorf("%s: channel %d: %+v", name, c.DBID, c.Node)
			}
			compared++
		}
		for _, f := range r.Findings {
			if f.Level == Problem && f.Name != AddressInbound && f.Name != AddressUnknown {
				t.Errorf("%s: %s: %s", name, f.Name, f.Text)
			}
		}
	}
	if compared < 18 {
		t.Errorf("only %d channels compared", compared)
	}
}

// vector is our commitment, rebuilt by an independent program.
type vector struct {
	Holder struct {
		Txid string `json:"txid"`
	} `json:"holder"`
}

func TestOurCommitmentInTheBackupIsRecognisedByItsTxid(t *testing.T) {
	current := 0
	for _, name := range cases(t) {
		b, n := backupOf(t, name), nodeOf(t, name, "node.json")
		for _, ch := range b.Channels {
			raw, err := os.ReadFile(filepath.Join(corpus, "vectors", name+"-"+strings.Split(ch.Key.String(), "/")[1]+".json"))
			if err != nil {
				continue
			}
			var v vector
			if err := json.Unmarshal(raw, &v); err != nil || v.Holder.Txid == "" {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range n.Channels {
				if *n.Channels[i].ID == lightningd.ChannelID(ch.ID()) {
					n.Channels[i].ScratchTxid = v.Holder.Txid
				}
			}
		}
		r := Rehearse(withSecret(t, Input{Backup: b, Now: now, Node: n}, name))
		for i := range r.Channels {
			c := &r.Channels[i]
			if c.Node == nil || c.ShareFrom == "birth" {
				continue
			}
			if c.Node.Relation != Current {
				t.Errorf("%s: channel %d: %s", name, c.DBID, c.Node.Relation)
			}
			current++
		}
	}
	if current < 15 {
		t.Errorf("only %d commitments compared", current)
	}
}

func TestNoPaymentHashAndNoSecretIsInAReport(t *testing.T) {
	for _, name := range cases(t) {
		b := backupOf(t, name)
		raw, err := json.Marshal(Rehearse(withSecret(t, Input{Backup: b, Now: now, Node: nodeOf(t, name, "node.json")}, name)))
		if err != nil {
			t.Fatal(err)
		}
		hidden := []string{strings.TrimSpace(string(mustRead(t, filepath.Join(corpus, name, "hsm_secret.hex"))))}
		for _, ch := range b.Channels {
			for _, s := range ch.State.Secrets {
				hidden = append(hidden, channel.ID(s.Secret).String())
			}
			if c := ch.State.HolderCommit; c != nil {
				for _, h := range append(c.Offered, c.Received...) {
					hidden = append(hidden, channel.ID(h.PaymentHash).String())
				}
			}
		}
		for _, h := range hidden {
			if strings.Contains(string(raw), h) {
				t.Errorf("%s: something secret is in the report", name)
			}
		}
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
