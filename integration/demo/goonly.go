package main

import (
	"os"
	"strings"

	h "github.com/glrecover/glrecover/integration/harness"
)

// goOnly tells the story with what Go alone can fetch. It reports whether lnd and
// btcd could be had.
func goOnly(t h.TB) bool {
	for _, program := range []string{h.BtcdD, h.LND} {
		if _, err := h.Build(program, func(line string) { t.Logf("%s", line) }); err != nil {
			t.Logf("%s could not be built: %v", program, err)
			return false
		}
	}
	s := &teller{t: t}
	t.Logf("A lost node comes home without lightningd: regtest, with a real btcd and a real lnd. Takes about a minute.")
	n := h.NewOnBtcd(t)
	lnd := n.LND("lnd")

	s.step("A node with a channel")
	lost := n.LoseFundee(lnd, 7)
	s.say("An lnd opens a channel of %s to a small node with Core Lightning's keys, and pushes %s.", sats(h.FundeeCapacity), sats(h.FundeePushed))
	s.say("node    %s", lost.NodeID)
	s.say("lnd     %s", lnd.ID)
	s.say("funded by %s", lost.Funding)

	s.step("The node is lost")
	s.say("What is left: its twelve words, and a signer backup of its channel. The backup is SYNTHETIC:")
	s.say("the test's own node wrote it in the signer's format.")

	s.step("What the backup says, and that the words belong to it")
	s.typed(n, 0, "inspect", lost.Backup.Path)
	s.typed(n, 0, "verify", "--hsm-secret", lost.Words, lost.Backup.Path)

	s.step("Without a statement about the hosted node, it refuses")
	s.typed(n, 1, append([]string{"rescue", lost.Backup.Path}, lost.Rescue()...)...)

	s.step("A dry run shows what would be done, and asks nobody")
	s.typed(n, 0, append([]string{"rescue", lost.Backup.Path, "--dry-run"}, lost.Rescue()...)...)

	s.step("The rescue, with the backup")
	s.rescue(n, lost, append([]string{lost.Backup.Path, "--decommissioned"}, lost.Rescue()...)...)

	s.step("Another node is lost, and nobody ever wrote a backup")
	words := n.LoseFundee(lnd, 3)
	s.say("node    %s", words.NodeID)
	s.say("What is left: its twelve words, and the address of one peer. The chain is asked of the light client.")
	s.rescue(n, words, append([]string{"--peer", lnd.ID + "@" + lnd.Address(), "--decommissioned"}, words.RescueLight()...)...)

	t.Logf("\nDone: both nodes' coins are at an address of their own. Backup: %s, and none.", lost.Backup.Label)
	return true
}

// typed runs glrecover, prints what it printed, and fails the demo unless it ends
// with this exit code.
func (s *teller) typed(n *h.Net, exit int, args ...string) {
	s.command(append([]string{"glrecover"}, short(n, args)...)...)
	run := n.Command("", args...)
	s.say("%s", strings.TrimRight(run.Text(), "\n"))
	if run.Code != exit {
		s.t.Fatalf("glrecover ended with %d, want %d", run.Code, exit)
	}
	if exit != 0 {
		s.say("(exit code %d)", exit)
	}
}

// rescue runs glrecover rescue while the chain goes on, and looks at the address.
func (s *teller) rescue(n *h.Net, l *h.Lost, args ...string) {
	s.command(append([]string{"glrecover", "rescue"}, short(n, args)...)...)
	out, code := n.Rescue(l, args...)
	s.say("%s", strings.TrimRight(out, "\n"))
	got := n.Btcd.PaidTo(l.Address, l.From)
	if code != 0 || got == 0 {
		s.t.Fatalf("the rescue ended with %d, and %s are at the address", code, sats(got))
	}
	s.say("%s of %s are in the chain, at %s.", sats(got), sats(l.Sat), l.Address)
}

// short is a command line without the demo's directory.
func short(n *h.Net, args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.TrimPrefix(a, n.Dir+string(os.PathSeparator))
	}
	return out
}
