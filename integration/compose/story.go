package compose

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/glrecover/glrecover/failure"
	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/integration/synthetic"
)

// World is what docker/compose.yaml has started.
type World struct {
	Net *h.Net
	// Lost runs with the plugin and starts through docker/node.sh.
	Lost *h.CLN
	// Peer and LND are its peers.
	Peer *h.CLN
	LND  *h.LNDNode
}

// loseMarker and lostDir are docker/node.sh's.
const (
	loseMarker = "lose"
	lostDir    = "lost"
)

const sat = 1_000_000

// Play opens and uses a channel with each peer, loses the node, recovers it,
// and fails t unless both coins come back. Backups are synthetic here.
func Play(t h.TB, w World) {
	t.Helper()
	n, me := w.Net, w.Lost
	t.Logf("The lost node's story on containers, with a SYNTHETIC backup: no genuine signer is in the images.")

	first := n.Open(me, w.Peer, h.OpenOptions{Sat: sat})
	n.Use(me, w.Peer, first, sat)
	second := n.Open(me, w.LND, h.OpenOptions{Sat: sat})
	n.Pay(me, w.LND, 100_000_000)
	n.WaitSettled(second, me, w.LND)
	t.Logf("two used channels: %s with CLN, %s with lnd", first, second)

	backup := lose(t, me)
	t.Logf("the node is lost; a new one runs with the same secret, %d channels", len(me.Channels()))

	refused := me.CLI("-J", "-k", "glrecover", "backup="+backup)
	_, err := refused.Answer("glrecover")
	if e := h.AsRPCError(err); e == nil || !e.Refuses(failure.NotDecommissioned) {
		t.Fatalf("without the statement it was not refused as %s (%d): %s", failure.NotDecommissioned, failure.NotDecommissioned.Code(), refused.Text())
	}
	t.Logf("refused without the statement: %s", failure.NotDecommissioned)
	answer := me.Recover(h.Backup{Path: backup, Label: "synthetic"})
	for _, f := range []h.Outpoint{first, second} {
		c := answer.Of(f)
		if c == nil || c.Result != "imported" {
			t.Fatalf("channel %s was not imported: %s", f, answer.Raw)
		}
		closing := n.WaitSpent(f)
		n.Mine(1, me)
		h.Wait(t, "the coin in the wallet", func() error { return me.HasOutputOf(closing) })
		t.Logf("channel %s: %d sat came back by %s", f, me.Received(closing), closing)
	}
}

// lose makes the node's container forget all but its secret, and returns the
// path of the backup that is left, which is the same for us and for the node.
func lose(t h.TB, me *h.CLN) string {
	t.Helper()
	id := me.ID
	db := filepath.Join(me.Dir, lostDir, "lightningd.sqlite3")
	if err := os.WriteFile(filepath.Join(me.Dir, loseMarker), nil, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	_ = me.Call("stop", nil, nil)
	h.Wait(t, "the node to be lost", func() error {
		if _, err := os.Stat(filepath.Join(me.Dir, loseMarker)); err == nil {
			return errors.New("its container has not started again")
		}
		_, err := os.Stat(db)
		return err
	})
	raw, err := synthetic.Backup(db, synthetic.Options{NodeID: id, CreatedAt: time.Now()})
	if err != nil {
		t.Fatalf("%v", err)
	}
	path := filepath.Join(me.Dir, "backup.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	me.WaitAnswer()
	me.WaitSynced()
	if me.ID != id || len(me.Channels()) != 0 {
		t.Fatalf("the new node is %s with %d channels", me.ID, len(me.Channels()))
	}
	return path
}
