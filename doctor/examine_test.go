package doctor_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/doctor"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

var corpus = testdata.Corpus()

const (
	node   = "03caaab4955bea390820860a447922bf6ac13a9963917e5137f910e1bb42d9dd66"
	peerID = "02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723"
)

type m = map[string]any

// world is a machine on which nothing is missing for the corpus case
// used-both-ways, and which a test may spoil.
type world struct {
	socket *lightningdtest.Socket
	dir    string
	path   string
	in     doctor.Input
}

func healthy(t *testing.T) *world {
	t.Helper()
	w := &world{socket: lightningdtest.NewSocket(t), dir: t.TempDir(), path: filepath.Join(corpus, "used-both-ways", "backup.json")}
	w.writeSecret(t, secretOf(t))
	w.info(nil)
	w.socket.Answer("listconfigs", m{"configs": m{"offline": m{"set": true}, "rescan": m{"value_int": 15}}})
	w.socket.Answer("help", m{"help": []m{{"command": "glrecover backup [decommissioned]"}, {"command": "getinfo"}}})
	w.socket.Answer("glrecover-inspect", m{})
	w.socket.Answer("glrecover-status", m{"channels": []m{}})
	w.socket.Answer("getchaininfo", m{"chain": "regtest", "headercount": 101, "blockcount": 101, "ibd": false})
	w.socket.Answer("listpeerchannels", m{"channels": []m{}})
	w.socket.Answer("listpeers", m{"peers": []m{}})
	w.socket.Answer("listdatastore", m{"datastore": []m{}})
	w.in = doctor.Input{Client: w.socket.Client(), Path: w.path, Now: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
	w.in.Backup, w.in.BackupError = vlsstate.ReadAnyFile(w.path)
	return w
}

func secretOf(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpus, "used-both-ways", "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (w *world) writeSecret(t *testing.T, raw []byte) {
	t.Helper()
	path := filepath.Join(w.dir, "hsm_secret")
	_ = os.Remove(path)
	if raw == nil {
		return
	}
	if err := os.WriteFile(path, raw, 0o400); err != nil {
		t.Fatal(err)
	}
}

// info is getinfo with changes.
func (w *world) info(changes m) {
	answer := m{"id": node, "version": "v26.06.6", "network": "regtest", "lightning-dir": w.dir, "blockheight": 101}
	for k, v := range changes {
		answer[k] = v
	}
	w.socket.Answer("getinfo", answer)
}

func TestEachThingThatIsMissingIsNamed(t *testing.T) {
	for _, c := range []struct {
		story  string
		spoil  func(*testing.T, *world)
		check  doctor.Name
		status doctor.Status
		text   string
	}{
		{"all is well", func(*testing.T, *world) {}, doctor.NodeID, doctor.OK, "has the lost node's secret"},
		{"no lightningd", func(_ *testing.T, w *world) {
			w.in.Client, w.in.NoClient = nil, failure.New(failure.NodeUnreachable, "x", "no RPC socket was found")
		}, doctor.Lightningd, doctor.Missing, "no RPC socket was found"},
		{"it hangs up", func(_ *testing.T, w *world) { w.socket.Close() }, doctor.Lightningd, doctor.Missing, "does not answer"},
		{"an old one", func(_ *testing.T, w *world) { w.info(m{"version": "v24.11"}) }, doctor.Version, doctor.Missing, "v24.11"},
		{"another node", func(_ *testing.T, w *world) { w.info(m{"id": peerID}) }, doctor.NodeID, doctor.Missing, "this is node " + peerID},
		{"another network", func(_ *testing.T, w *world) { w.info(m{"network": "signet"}) }, doctor.Network, doctor.Missing, "this node is on signet"},
		{"no secret file", func(t *testing.T, w *world) { w.writeSecret(t, nil) }, doctor.HSMSecret, doctor.Warning, "there is no file"},
		{"a secret of another node", func(t *testing.T, w *world) { w.writeSecret(t, make([]byte, 31)) }, doctor.HSMSecret, doctor.Missing, "31 bytes"},
		{"a secret file of another node", func(t *testing.T, w *world) { w.writeSecret(t, []byte(strings.Repeat("7", 32))) }, doctor.HSMSecret, doctor.Missing, "not the secret of the running node"},
		{"no plugin", func(_ *testing.T, w *world) { w.socket.Answer("help", m{"help": []m{{"command": "getinfo"}}}) }, doctor.Plugin, doctor.Missing, "not loaded"},
		{"a backup that lightningd's user cannot read", func(_ *testing.T, w *world) {
			w.socket.Handle("glrecover-inspect", func(json.RawMessage) (any, error) {
				return nil, &lightningd.RPCError{Code: 3101, Message: "backup_unreadable: permission denied."}
			})
		}, doctor.BackupRead, doctor.Missing, "lightningd cannot read"},
		{"no backup named", func(_ *testing.T, w *world) { w.in.Path, w.in.Backup = "", nil }, doctor.Backup, doctor.Unknown, "no backup was given"},
		{"a backup that is none", func(_ *testing.T, w *world) {
			w.in.Backup, w.in.BackupError = nil, failure.New(failure.NotABackup, "Look elsewhere", "it is a web page")
		}, doctor.Backup, doctor.Missing, "it is a web page"},
		{"no bitcoind", func(_ *testing.T, w *world) {
			w.socket.Handle("getchaininfo", func(json.RawMessage) (any, error) {
				return nil, &lightningd.RPCError{Code: -1, Message: "bitcoin-cli"}
			})
		}, doctor.Bitcoind, doctor.Missing, "no answer"},
		{"bitcoind syncs", func(_ *testing.T, w *world) {
			w.socket.Answer("getchaininfo", m{"chain": "regtest", "headercount": 900, "blockcount": 101, "ibd": true})
		}, doctor.Bitcoind, doctor.Missing, "101 of 900 blocks"},
		{"lightningd syncs", func(_ *testing.T, w *world) { w.info(m{"warning_lightningd_sync": "Still loading"}) }, doctor.Sync, doctor.Missing, "still catching up"},
		{"a channel of its own with a peer", func(_ *testing.T, w *world) {
			w.socket.Answer("listpeerchannels", m{"channels": []m{{"peer_id": peerID, "state": "CHANNELD_NORMAL", "short_channel_id": "5x1x0", "total_msat": 1}}})
		}, doctor.OwnChannels, doctor.Missing, "1 channel of its own with peers of the backup"},
		{"stubs are none", func(_ *testing.T, w *world) {
			w.socket.Answer("listpeerchannels", m{"channels": []m{{"peer_id": peerID, "state": "CHANNELD_NORMAL", "short_channel_id": "1x1x1", "total_msat": 1}}})
		}, doctor.OwnChannels, doctor.OK, "no channels of its own"},
		{"not offline", func(_ *testing.T, w *world) { w.socket.Answer("listconfigs", m{"configs": m{}}) }, doctor.Peers, doctor.Warning, "not offline"},
		{"connected to a peer", func(_ *testing.T, w *world) {
			w.socket.Answer("listpeers", m{"peers": []m{{"id": peerID, "connected": true}}})
		}, doctor.Peers, doctor.Warning, "connected to 1 peer of the backup"},
		{"a peer has returned its copy", func(_ *testing.T, w *world) {
			w.socket.Answer("listdatastore", m{"datastore": []m{{"key": []string{"chanbackup", "latestscb"}, "hex": "00"}}})
		}, doctor.Peers, doctor.Warning, "returned the copy"},
		{"a Tor peer without proxy", func(_ *testing.T, w *world) {
			for id, p := range w.in.Backup.Peers {
				p.Addr = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:9735"
				w.in.Backup.Peers[id] = p
			}
		}, doctor.Proxy, doctor.Warning, "Tor addresses for 1 peer"},
		{"a recovery that runs", func(_ *testing.T, w *world) {
			w.socket.Answer("glrecover-status", m{"channels": []m{{"channel_id": "00"}}})
		}, doctor.Recovery, doctor.Warning, "already started on this node"},
	} {
		t.Run(c.story, func(t *testing.T) {
			w := healthy(t)
			c.spoil(t, w)
			r := doctor.Examine(t.Context(), w.in)
			got := r.Of(c.check)
			if got == nil || got.Status != c.status || !strings.Contains(got.Found, c.text) {
				t.Fatalf("%s: %+v", c.check, r)
			}
			if c.status == doctor.Missing && (got.Do == "" || r.Ready) {
				t.Errorf("something is missing, and what to do is %q (ready %v)", got.Do, r.Ready)
			}
			if c.status != doctor.Missing && !r.Ready {
				t.Errorf("not ready: %+v", r.Checks)
			}
			text, err := json.Marshal(r)
			if err != nil || strings.Contains(string(text), hex.EncodeToString(secretOf(t))[:8]) {
				t.Errorf("the secret is in the report, or %v", err)
			}
		})
	}
}

// An hsm_secret with words runs the right channels and another wallet.
func TestASecretInWordsIsAWarning(t *testing.T) {
	words := "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	w := healthy(t)
	w.writeSecret(t, append(make([]byte, 32), words...))
	secret, err := keychain.FromBytes([]byte(words)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := secret.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	w.info(m{"id": id.String()})
	got := doctor.Examine(t.Context(), w.in).Of(doctor.HSMSecret)
	if got == nil || got.Status != doctor.Warning || !strings.Contains(got.Found, "on-chain wallet is not the lost") {
		t.Errorf("%+v", got)
	}
}

func TestASecretThatOthersMayReadIsAWarning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing")
	}
	w := healthy(t)
	if err := os.Chmod(filepath.Join(w.dir, "hsm_secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := doctor.Examine(t.Context(), w.in).Of(doctor.HSMSecret)
	if got == nil || got.Status != doctor.Warning || !strings.Contains(got.Found, "mode 0644") || !strings.HasPrefix(got.Do, "Run: chmod 400") {
		t.Errorf("%+v", got)
	}
}

// Before the node is started for the first time, its directory is looked at.
func TestANodeThatIsNotStartedYet(t *testing.T) {
	for _, c := range []struct {
		story  string
		secret []byte
		check  doctor.Name
		status doctor.Status
		text   string
	}{
		{"nothing there", nil, doctor.HSMSecret, doctor.Missing, "no hsm_secret was found"},
		{"the right one", secretOf(t), doctor.NodeID, doctor.OK, "the lost node's secret"},
		{"another node's", []byte(strings.Repeat("7", 32)), doctor.NodeID, doctor.Missing, "the backup to " + node},
		{"the right one as text", []byte(hex.EncodeToString(secretOf(t)) + "\n"), doctor.HSMSecret, doctor.Missing, "is a hex text, which lightningd does not accept"},
		{"no secret at all", []byte("?"), doctor.HSMSecret, doctor.Missing, "1 bytes"},
	} {
		t.Run(c.story, func(t *testing.T) {
			w := healthy(t)
			w.writeSecret(t, c.secret)
			w.in.Client, w.in.NoClient, w.in.Dirs = nil, failure.New(failure.NodeUnreachable, "x", "none runs"), []string{t.TempDir(), w.dir}
			r := doctor.Examine(t.Context(), w.in)
			if got := r.Of(c.check); got == nil || got.Status != c.status || !strings.Contains(got.Found, c.text) || r.Ready {
				t.Errorf("%s: %+v", c.check, r)
			}
		})
	}
}
