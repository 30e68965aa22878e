package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Signer puts the genuine Greenlight signer in the place of lightningd's hsmd.
type Signer struct {
	// Strategy is "new_channels_only" (a snapshot at each channel's birth) or
	// "periodic:N" (at each N-th update as well); empty means "periodic:1".
	Strategy string
}

func (s *Signer) strategy() string {
	if s.Strategy == "" {
		return "periodic:1"
	}
	return s.Strategy
}

// arguments make lightningd use the signer. Feature 62/63 is splicing, which
// the signer refuses.
func (s *Signer) arguments(t TB) []string {
	t.Helper()
	bin, err := signerBinaries()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return []string{"--subdaemon=hsmd:" + bin["gl-hsmd"], "--dev-force-features=-63"}
}

func (s *Signer) environment(n *CLN) []string {
	return []string{
		"GLHSMD_BACKUP=" + n.BackupPath(),
		"GLHSMD_STRATEGY=" + s.strategy(),
		"GLHSMD_STATE=" + filepath.Join(n.Dir, "signer_state.json"),
		"GLHSMD_LOGFILE=" + filepath.Join(n.Dir, "signer.log"),
		"GLHSMD_PEERS=" + n.peersFile(),
		"GLR_TEST_PEERS=" + n.peersFile(),
		"GLR_TEST_PEERS_OMIT=" + n.peersFile() + ".omit",
	}
}

// BackupPath is where the genuine signer writes its backup.
func (n *CLN) BackupPath() string { return filepath.Join(n.Dir, "backup.json") }

func (n *CLN) peersFile() string { return filepath.Join(n.Dir, "peers.json") }

// OmitPeer keeps a peer's address out of the node's backup, as happens to
// peers that the hosted node never recorded. Call it before they connect.
func (n *CLN) OmitPeer(id string) {
	n.net.T.Helper()
	n.omitted = append(n.omitted, id)
	f, err := os.OpenFile(n.peersFile()+".omit", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, id)
		_ = f.Close()
	}
	if err != nil {
		n.net.T.Fatalf("%v", err)
	}
}

// GLTool runs Greenlight's own reader and converter on a backup: verb is
// convert, convert-skip, inspect or summary. A refusal is an error with
// Greenlight's text.
func GLTool(t TB, verb, backup string) ([]byte, error) {
	t.Helper()
	bin, err := signerBinaries()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.Command(bin["gl-tool"], verb, backup)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("gl-tool %s: %s%s", verb, out.String(), errOut.String())
	}
	return out.Bytes(), nil
}

// GLConvert returns the SCB entries (hex) of Greenlight's own conversion.
func GLConvert(t TB, backup string, skipIncomplete bool) []string {
	t.Helper()
	verb := "convert"
	if skipIncomplete {
		verb = "convert-skip"
	}
	raw, err := GLTool(t, verb, backup)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var answer struct {
		Request struct {
			SCB []string `json:"scb"`
		} `json:"request"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("gl-tool %s: %v", verb, err)
	}
	return answer.Request.SCB
}

// Backup is a backup file of a node, and who wrote it.
type Backup struct {
	Path string
	// Label is "genuine" (Greenlight's signer wrote it) or "synthetic" (read
	// from the node's database by the helper in integration/synthetic).
	Label string
}

// GenuineBackup waits until the signer's backup names every channel of the
// running node and returns a copy of it: with periodic:1 the copy holds each
// channel's newest state when no payment is under way.
func (n *CLN) GenuineBackup() Backup {
	n.net.T.Helper()
	if n.Config.Signer == nil {
		n.net.T.Fatalf("harness: %s has no genuine signer", n.Name)
	}
	Wait(n.net.T, "the signer's backup", n.backupComplete)
	raw, err := os.ReadFile(n.BackupPath())
	if err != nil {
		n.net.T.Fatalf("%v", err)
	}
	return Backup{Path: n.net.WriteFile(n.Name+"-backup-"+randomHex(2)+".json", raw), Label: "genuine"}
}

// backupComplete returns nil when the genuine backup has an entry with a setup
// for each channel of the node.
func (n *CLN) backupComplete() error {
	raw, err := os.ReadFile(n.BackupPath())
	if err != nil {
		return err
	}
	var file struct {
		State struct {
			Values map[string][]json.RawMessage `json:"values"`
		} `json:"state"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return err
	}
	setups := map[string]bool{}
	for key, v := range file.State.Values {
		if !strings.HasPrefix(key, "channels/") || len(v) < 2 {
			continue
		}
		var entry struct {
			Setup *struct {
				Outpoint Outpoint `json:"funding_outpoint"`
			} `json:"channel_setup"`
		}
		if err := json.Unmarshal(v[1], &entry); err != nil {
			return err
		}
		if entry.Setup != nil {
			setups[reverseHex(entry.Setup.Outpoint.Txid)] = true
		}
	}
	for _, c := range n.Channels() {
		if !setups[c.FundingTxid] {
			return fmt.Errorf("no entry for the channel funded by %s", c.FundingTxid)
		}
	}
	return nil
}

// reverseHex turns a txid between display and internal byte order.
func reverseHex(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-2; i < j; i, j = i+2, j-2 {
		b[i], b[i+1], b[j], b[j+1] = b[j], b[j+1], b[i], b[i+1]
	}
	return string(b)
}
