package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// TestOneRescueOfANodeAtATimeWhateverItsJournal: the second is busy before it has
// opened a journal, also where each names another.
func TestOneRescueOfANodeAtATimeWhateverItsJournal(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	id := channel.PubKey{2, 7}
	var said bytes.Buffer
	c := &cli{stderr: &said}
	first, done, err := c.alone(t.Context(), &rescueFlags{network: "regtest"}, id)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, ".glrecover", id.String()); first.Dir() != want {
		t.Errorf("the journal is %s, want %s", first.Dir(), want)
	}
	elsewhere := &rescueFlags{network: "regtest", journal: filepath.Join(t.TempDir(), "journal")}
	if _, _, err := c.alone(t.Context(), elsewhere, id); failure.NameOf(err) != failure.Busy {
		t.Errorf("the second: %v", err)
	}
	if _, err := os.Stat(elsewhere.journal); err == nil {
		t.Error("the second has made its journal")
	}
	done()
	_, done, err = c.alone(t.Context(), elsewhere, id)
	if err != nil {
		t.Fatalf("the next: %v", err)
	}
	done()
	if said.Len() > 0 {
		t.Errorf("said: %s", said.String())
	}
	// Without a home directory a journal that is named is enough, and it is said.
	t.Setenv("HOME", filepath.Join(home, ".glrecover", id.String()+".lock"))
	_, done, err = c.alone(t.Context(), elsewhere, id)
	if err != nil {
		t.Fatalf("without a home directory: %v", err)
	}
	done()
	if !strings.Contains(said.String(), "Nothing keeps a second rescue of this node away") {
		t.Errorf("said: %s", said.String())
	}
}

// TestARescueBesideTheNodesOwnLightningdIsRefused: one of this machine that has the
// node's key, in its default place or beside the secret that is named. Another node's
// is no matter, and neither is one that does not answer.
func TestARescueBesideTheNodesOwnLightningdIsRefused(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	id, err := channel.ParsePubKey("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "glr") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	lightningdWith(t, filepath.Join(dir, defaultRPCFile), id)
	f := &rescueFlags{network: "regtest", secret: filepath.Join(dir, "hsm_secret")}
	c := &cli{stderr: new(bytes.Buffer)}
	if _, _, err := c.alone(t.Context(), f, id); failure.NameOf(err) != failure.Busy || !strings.Contains(err.Error(), dir) {
		t.Errorf("beside the node's own: %v", err)
	}
	_, done, err := c.alone(t.Context(), f, channel.PubKey{2, 8})
	if err != nil {
		t.Fatalf("beside another node's: %v", err)
	}
	done()
}

// lightningdWith answers getinfo at a socket.
func lightningdWith(t *testing.T, socket string, id channel.PubKey) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var call struct{ ID json.RawMessage }
			if json.NewDecoder(conn).Decode(&call) == nil {
				fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%s,"result":{"id":"%s","network":"regtest","blockheight":1,"version":"v26.06.6"}}`+"\n\n", call.ID, id)
			}
			conn.Close()
		}
	}()
}
