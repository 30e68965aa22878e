package recovery

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// story is a world with one funded channel of a corpus case.
type story struct {
	*world
	backup []byte
	ch     *channel.Channel
	keys   keyring.Keys
}

// newStory funds the first channel of a corpus case on the chain in memory,
// deep enough.
func newStory(t *testing.T, corpusCase string) *story {
	t.Helper()
	w := newWorld(t, corpusCase, true)
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	b := readCorpus(t, corpusCase)
	text, _ := w.fund(testdata.Read(t, corpusCase, "backup.json"), b.Channels[0], keys)
	w.chain.MineN(10)
	b, err = vlsstate.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return &story{world: w, backup: text, ch: b.Channels[0], keys: keys}
}

func (s *story) params() api.RecoverParams {
	return api.RecoverParams{Backup: api.Backup{Inline: s.backup}, Decommissioned: true}
}

// begin imports the channel.
func (s *story) begin() *answer.Answer {
	s.t.Helper()
	a, err := s.recover(s.params())
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// current are the numbers of a peer for which the backup is not refuted.
func (s *story) current() peer.Reestablish {
	st := &s.ch.State
	r := peer.Reestablish{
		Channel: s.ch.ID(), NextCommitment: st.NextCounterpartyCommitNum, NextRevocation: st.NextHolderCommitNum - 1,
		DataLossProtection: true,
	}
	return s.proven(r)
}

// proven fills in our secret, as an honest peer does.
func (s *story) proven(r peer.Reestablish) peer.Reestablish {
	s.t.Helper()
	r.YourLastSecret = peer.Secret{}
	if r.NextRevocation > 0 {
		secret, err := s.keys.PerCommitmentSecret(s.ch.Key, r.NextRevocation-1)
		if err != nil {
			s.t.Fatal(err)
		}
		r.YourLastSecret = secret
	}
	return r
}

// theirCommitment is the peer's commitment as the snapshot has it, unsigned.
func (s *story) theirCommitment() *bolt3.CommitTx {
	s.t.Helper()
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	st := &s.ch.State
	tx, err := bolt3.BuildCommitment(s.ch, ours, st.CounterpartyCommit, st.NextCounterpartyCommitNum-1, *st.CounterpartyPoint)
	if err != nil {
		s.t.Fatal(err)
	}
	return tx
}

// closes makes the peer publish its commitment when it is asked.
func (s *story) closes(tx *wire.MsgTx) {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		r := s.current()
		if ok, why := a.Decide(r); !ok {
			return &peer.Outcome{Result: peer.Withheld, Reason: why}
		}
		s.chain.AddMempool(tx)
		return &peer.Outcome{Result: peer.Asked, Reason: "it hung up after our error"}
	}
}

// closed begins a recovery whose peer closes when it is asked, mines n blocks, and
// waits until the close is in one of them.
func (s *story) closed(n int) *bolt3.CommitTx {
	s.t.Helper()
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(n)
	s.untilState(model.OutputsWaiting)
	return commit
}

// credit lists the outputs of a transaction in lightningd's wallet.
func (s *story) credit(tx *wire.MsgTx, vout int) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	s.node.wallet = append(s.node.wallet, api.WalletOutput{
		OutPoint: wire.OutPoint{Hash: tx.TxHash(), Index: uint32(vout)},
		Sat:      uint64(tx.TxOut[vout].Value), Status: "confirmed", Height: s.chain.Height(),
	})
}

func (s *story) mine(n int) {
	s.chain.MineMempool()
	if n > 1 {
		s.chain.MineN(n - 1)
	}
	s.BlockAdded()
}

func (s *story) state() model.ChannelState { return s.stateOf(s.ch.Key) }

// untilState waits for a state, and for what a close in it was found to be.
func (s *story) untilState(want model.ChannelState) {
	s.t.Helper()
	s.until(string(want)+" (is "+string(s.state())+")", func() bool {
		s.look()
		c := s.seen.Load().Channels[s.ch.Key]
		return c != nil && c.State == want && (c.Verdict != nil || !want.Closed() || want.Done())
	})
}

// TestAUsedChannelComesHome is the main story: asked, closed, credited,
// resolved, and the share told at each point.
func TestAUsedChannelComesHome(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.peers.numbers[s.ch.ID()] = s.current()
	a := s.begin()
	if a.Channels[0].Peer == nil || a.Channels[0].Peer.Verdict != string(peer.NotRefuted) {
		t.Fatalf("the peer's numbers: %+v", a.Channels[0].Peer)
	}
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
	s.until("its outputs", func() bool { return len(s.status().Channels[0].Outputs) > 0 })
	st := s.status().Channels[0]
	if want := channel.Msat(s.ch.State.CounterpartyCommit.ToCountersignerSat); st.ExpectedMsat != want || st.RecoveredMsat != 0 {
		t.Errorf("expected %d, recovered %d; want %d and 0", st.ExpectedMsat, st.RecoveredMsat, want)
	}
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.Credited)
	st = s.status().Channels[0]
	if want := channel.Msat(s.ch.State.CounterpartyCommit.ToCountersignerSat); st.RecoveredMsat != want || st.ExpectedMsat != 0 {
		t.Errorf("recovered %d, want %d", st.RecoveredMsat, want)
	}
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
	if got := s.peers.asked(); got != 1 {
		t.Errorf("the peer was asked %d times", got)
	}
}

// TestNoCoinIsCalledRecoveredBeforeTheWalletListsIt, however deep the close is.
func TestNoCoinIsCalledRecoveredBeforeTheWalletListsIt(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.closes(s.theirCommitment().Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(model.FinalConfs + 20)
	s.untilState(model.OutputsWaiting)
	if st := s.status(); st.Totals.RecoveredMsat != 0 || !strings.Contains(st.Channels[0].Reason, "does not list it yet") {
		t.Errorf("recovered %d, reason %q", st.Totals.RecoveredMsat, st.Channels[0].Reason)
	}
}

// TestTheHistorySurvivesAKillAtEachState: the plugin is ended at every step and
// started again; every step goes on, and the peer is not asked again in vain.
func TestTheHistorySurvivesAKillAtEachState(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.start()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.start()
	s.untilState(model.OutputsWaiting)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.start()
	s.untilState(model.Credited)
	s.mine(model.FinalConfs)
	s.start()
	s.untilState(model.Resolved)
	s.start()
	s.untilState(model.Resolved)
	if st := s.status().Channels[0]; st.RecoveredMsat == 0 || len(st.RecoveredTo) != 1 {
		t.Errorf("the resolved channel lost its coin: %+v", st)
	}
	if got := s.peers.asked(); got != 1 {
		t.Errorf("the peer was asked %d times", got)
	}
}

// TestAKillBetweenRecordAndImportIsMadeGood: the record says imported, and
// lightningd has no stub.
func TestAKillBetweenRecordAndImportIsMadeGood(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.node.onEffect = func(call string) error {
		if call == "recoverchannel" {
			return errRefused
		}
		return nil
	}
	s.begin()
	s.node.mu.Lock()
	s.node.onEffect = nil
	key := recordOf(s.ch)
	rec := s.node.store[key]
	rec.Value = strings.Replace(rec.Value, `"state":"left_out"`, `"state":"imported"`, 1)
	s.node.store[key] = rec
	s.node.mu.Unlock()
	s.start()
	s.until("the stub", func() bool {
		s.look()
		channels, _ := s.node.PeerChannels(t.Context())
		return len(channels) == 1
	})
}

func TestAReorganisationLeadsBack(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.closed(2)
	s.chain.Reorg(2, true) // the transaction is in the mempool again
	s.chain.MineN(3)
	s.BlockAdded()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
}

// TestACloseThatFellOutIsSentAgain with the next block.
func TestACloseThatFellOutIsSentAgain(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.chain.DropMempool()
	s.chain.MineN(1)
	s.BlockAdded()
	s.until("the close in the mempool again", func() bool { return len(s.chain.Mempool()) == 1 })
	s.untilState(model.CloseSeen)
}

func TestAPeerThatComesBackIsAskedThen(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.begin()
	s.until("vain tries", func() bool { return s.peers.asked() >= 2 })
	if got := s.state(); got != model.Imported {
		t.Errorf("an unreachable peer's channel is %s", got)
	}
	s.closes(s.theirCommitment().Tx)
	if _, err := s.Retry(t.Context(), s.ch.ID().String(), nil); err != nil {
		t.Fatal(err)
	}
	s.untilState(model.CloseSeen)
}

// TestAStalePeerIsNotAsked: it would publish what it has revoked.
func TestAStalePeerIsNotAsked(t *testing.T) {
	s := newStory(t, "used-both-ways")
	stale := s.current()
	stale.NextCommitment = s.ch.State.NextCounterpartyRevokeNum - 3
	s.peers.numbers[s.ch.ID()] = stale
	a := s.begin()
	if a.Channels[0].Result != answer.StalePeer || s.state() != model.PeerStale {
		t.Fatalf("result %s, state %s", a.Channels[0].Result, s.state())
	}
	if n := count(s.node.calls(), "recoverchannel"); n > 0 {
		t.Error("the channel was imported, and lightningd's stub asks by itself")
	}
	p := s.params()
	p.Override = []string{string(failure.PeerStale)}
	s.closes(s.theirCommitment().Tx)
	a, err := s.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if a.Channels[0].Result != answer.DidImport {
		t.Errorf("with the override: %s", a.Channels[0].Result)
	}
	s.untilState(model.CloseSeen)
}

// TestReestablishNumbersThatMoveStopEverything: something else uses this node's key.
func TestReestablishNumbersThatMoveStopEverything(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.peers.numbers[s.ch.ID()] = s.current()
	moved := s.current()
	moved.NextCommitment++
	moved.NextRevocation++
	moved = s.proven(moved)
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		if ok, why := a.Decide(moved); !ok {
			return &peer.Outcome{Result: peer.Withheld, Reason: why}
		}
		return &peer.Outcome{Result: peer.Asked}
	}
	s.begin()
	s.untilState(model.HostedAlive)
	if st := s.status(); len(st.Alarms) == 0 || !strings.Contains(st.Alarms[0], "ALIVE") {
		t.Errorf("alarms %q", st.Alarms)
	}
	s.until("the alarm on record", func() bool {
		s.node.mu.Lock()
		defer s.node.mu.Unlock()
		return strings.Contains(s.node.store["glrecover/run"].Value, `"hosted_node_alive"`)
	})
	asked := s.peers.asked()
	s.start()
	s.look()
	time.Sleep(50 * time.Millisecond) // nothing to wait for: nothing must happen
	if s.peers.asked() != asked {
		t.Error("a peer was asked after the alarm")
	}
	p := s.params()
	p.Override = []string{string(failure.HostedNodeAlive)}
	s.closes(s.theirCommitment().Tx)
	if _, err := s.recover(p); err != nil {
		t.Fatal(err)
	}
	// The peer's numbers are current() again: they went back, which is the
	// peer's own trouble.
	s.untilState(model.CloseSeen)
}

// TestReestablishNumbersThatMoveCountWhereTheFirstWereReadLate: the peer was away at the
// import.
func TestReestablishNumbersThatMoveCountWhereTheFirstWereReadLate(t *testing.T) {
	s := newStory(t, "used-both-ways")
	seen := make(chan struct{}, 100)
	s.peers.mu.Lock()
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		r := s.current()
		if len(s.peers.asks) > 1 {
			r.NextCommitment += 2
			r.NextRevocation += 2
			r = s.proven(r)
		}
		seen <- struct{}{}
		if ok, why := a.Decide(r); !ok {
			return &peer.Outcome{Result: peer.Withheld, Reason: why, Before: &r}
		}
		return &peer.Outcome{Result: peer.Evicted, Before: &r}
	}
	s.peers.mu.Unlock()
	s.begin()
	<-seen
	s.untilState(model.HostedAlive)
}

// TestAnAlarmReachesThePeersThatAreBeingDialled.
func TestAnAlarmReachesThePeersThatAreBeingDialled(t *testing.T) {
	s := newStory(t, "used-both-ways")
	decided := make(chan bool, 100)
	s.peers.mu.Lock()
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		s.alive("numbers moved")
		ok, why := a.Decide(s.current())
		decided <- ok
		return &peer.Outcome{Result: peer.Withheld, Reason: why}
	}
	s.peers.mu.Unlock()
	s.begin()
	if <-decided {
		t.Error("asked all the same")
	}
	s.untilState(model.HostedAlive)
}

// TestAPeerThatWasStaleMustShowItsNumbersFirst: nothing is sent to it blindly.
func TestAPeerThatWasStaleMustShowItsNumbersFirst(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.peers.numbers[s.ch.ID()] = s.current()
	probes := make(chan bool, 100)
	s.peers.mu.Lock()
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		probes <- a.Probe
		stale := s.current()
		stale.NextCommitment = s.ch.State.NextCounterpartyRevokeNum - 3
		if ok, why := a.Decide(stale); !ok {
			return &peer.Outcome{Result: peer.Withheld, Reason: why, Before: &stale}
		}
		return &peer.Outcome{Result: peer.Asked}
	}
	s.peers.mu.Unlock()
	s.begin()
	if !<-probes {
		t.Error("a peer whose numbers were good is not probed")
	}
	s.untilState(model.PeerStale)
	s.begin() // the user calls again, as the state says
	if <-probes {
		t.Error("a peer that was stale is probed")
	}
	s.untilState(model.PeerStale)
}

func TestARevokedCloseIsCheatedInCapitals(t *testing.T) {
	s := newStory(t, "used-both-ways")
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	secret, ok := bolt3.SecretAt(s.ch.State.Secrets, n)
	if !ok {
		t.Fatal("the case does not reveal commitment 3")
	}
	revoked, err := bolt3.BuildCommitment(s.ch, ours, s.ch.State.CounterpartyCommit, n, bolt3.PointOf(secret))
	if err != nil {
		t.Fatal(err)
	}
	s.closes(revoked.Tx)
	s.begin()
	s.untilState(model.Cheated)
	s.mine(1)
	s.until("the deadline", func() bool {
		s.look()
		return s.status().Channels[0].DeadlineBlock == s.chain.Height()+uint32(s.ch.HolderDelay)
	})
	st := s.status()
	if len(st.Alarms) == 0 || !strings.Contains(st.Alarms[0], "CHEATED") || st.Channels[0].ClaimMsat == 0 {
		t.Errorf("alarms %q, claim %d", st.Alarms, st.Channels[0].ClaimMsat)
	}
}

func TestWithoutTheSecretThePeersAreNotAskedAndTheStateSaysSo(t *testing.T) {
	w := newWorld(t, "used-both-ways", false)
	a, err := w.recover(pathOf(t, "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Totals.Imported != 1 || len(a.Warnings) == 0 {
		t.Errorf("imported %d, warnings %q", a.Totals.Imported, a.Warnings)
	}
	k := readCorpus(t, "used-both-ways").Channels[0].Key
	w.until("needs_secret", func() bool { return w.stateOf(k) == model.NeedsSecret })
	if w.peers.asked() > 0 {
		t.Error("a peer was asked")
	}
	if st := w.status().Channels[0]; st.WaitsFor != "secret" || st.Todo == "" {
		t.Errorf("waits for %q, todo %q", st.WaitsFor, st.Todo)
	}
}

// TestAYoungFundingIsImportedWhenItHasItsConfirmations, and not before.
func TestAYoungFundingIsImportedWhenItHasItsConfirmations(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := readCorpus(t, "used-both-ways").Channels[0]
	text, _ := w.fund(testdata.Read(t, "used-both-ways", "backup.json"), c, keys)
	a, err := w.recover(inline(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Channels[0].Result != answer.NotYetConfirmed || a.Channels[0].State != model.FundingUnconfirmed {
		t.Fatalf("result %s, state %s", a.Channels[0].Result, a.Channels[0].State)
	}
	if n := count(w.node.calls(), "recoverchannel"); n > 0 {
		t.Fatal("imported with one confirmation")
	}
	w.chain.MineN(decision.MinFundingConfs)
	w.BlockAdded()
	w.until("the import", func() bool { return count(w.node.calls(), "recoverchannel") == 1 })
	w.until("imported", func() bool { return w.stateOf(c.Key) == model.Imported })
}

// TestTheGuard: nothing may be opened before lightningd has restarted, and with
// a peer of the backup not after it either.
func TestTheGuard(t *testing.T) {
	s := newStory(t, "used-both-ways")
	other := readCorpus(t, "stale").Channels[0].Peer
	allowed := func(p *channel.PubKey) bool { return s.OpeningAllowed(t.Context(), p, "fundchannel") == nil }
	if !allowed(&other) || !allowed(&s.ch.Peer) || !allowed(nil) {
		t.Fatal("refused before any import")
	}
	s.begin()
	if allowed(&other) || allowed(&s.ch.Peer) || allowed(nil) {
		t.Error("allowed in the run of the import")
	}
	s.facts.AtStartup = false
	s.world.facts.AtStartup = false
	s.start() // the plugin alone, in the same run
	if allowed(&other) {
		t.Error("allowed after a restart of the plugin alone")
	}
	s.world.deps.Mark = "run 2"
	s.start()
	if !allowed(&other) || !allowed(nil) {
		t.Error("refused after a restart of lightningd")
	}
	if allowed(&s.ch.Peer) {
		t.Error("allowed with a peer of the backup")
	}
	s.world.facts.Options.AllowOpenings = []channel.PubKey{s.ch.Peer}
	s.start()
	if !allowed(&s.ch.Peer) {
		t.Error("the operator's override counts for nothing")
	}
}

// TestTheGuardKnowsThePeersOfUnreadableChannels: their keys, too, must not be
// given to a new channel.
func TestTheGuardKnowsThePeersOfUnreadableChannels(t *testing.T) {
	good := readCorpus(t, "three-peers")
	// A peer with one channel only.
	var lone *channel.Channel
	for _, c := range good.Channels {
		if !slices.ContainsFunc(good.Channels, func(o *channel.Channel) bool { return o != c && o.Peer == c.Peer }) {
			lone = c
		}
	}
	if lone == nil {
		t.Skip("each peer of the case has several channels")
	}
	w := newWorld(t, "three-peers", true)
	text := strings.Replace(string(testdata.Read(t, "three-peers", "backup.json")), lone.Remote.HTLC.String(), "02"+strings.Repeat("ff", 32), 1)
	p := inline(text)
	p.Addresses = map[channel.PubKey]string{lone.Peer: "192.0.2.1:9735"}
	a, err := w.recover(p)
	if err != nil || resultsOf(a)[answer.BadEntry] != 1 {
		t.Fatalf("results %v, %v", resultsOf(a), err)
	}
	if !slices.ContainsFunc(a.Warnings, func(s string) bool { return strings.HasPrefix(s, "addresses: ") }) {
		t.Errorf("an address for nobody is not told: %q", a.Warnings)
	}
	w.deps.Mark = "run 2"
	w.start()
	other := readCorpus(t, "stale").Channels[0].Peer
	if err := w.OpeningAllowed(t.Context(), &other, "fundchannel"); err != nil {
		t.Errorf("a stranger: %v", err)
	}
	if err := w.OpeningAllowed(t.Context(), &lone.Peer, "fundchannel"); err == nil {
		t.Error("allowed with the peer of an unreadable channel")
	}
}

func TestAnOpeningAllTheSameRaisesTheAlarm(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.begin()
	s.ChannelOpened(s.ch.Peer, strings.Repeat("ab", 32))
	s.until("the alarm", func() bool {
		st := s.status()
		return len(st.Alarms) == 1 && strings.HasPrefix(st.Alarms[0], "ALARM")
	})
	s.start()
	if st := s.status(); len(st.Alarms) != 1 {
		t.Error("the alarm did not survive a restart")
	}
}

func TestForgetIsRefusedWhileSomethingMayCome(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	if _, err := s.Forget(t.Context(), ""); failure.NameOf(err) != failure.Unclaimed {
		t.Fatalf("got %v", err)
	}
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
	s.start()
	s.untilState(model.Resolved)
	if _, err := s.Forget(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if len(s.status().Channels) != 0 {
		t.Error("still there")
	}
	if calls := s.node.calls(); !slices.Contains(calls, "deldatastore") {
		t.Error("the record was not deleted")
	}
}

// TestACloseThatThePeersOwnNumbersRevokeIsCheated: the backup is older than the
// peer, and the peer publishes the commitment that the backup takes for current.
func TestACloseThatThePeersOwnNumbersRevokeIsCheated(t *testing.T) {
	for ahead, want := range map[uint64]model.ChannelState{1: model.CloseSeen, 2: model.Cheated} {
		s := newStory(t, "used-both-ways")
		later := s.current()
		later.NextCommitment += ahead
		s.peers.numbers[s.ch.ID()] = later
		commit := s.theirCommitment().Tx
		s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
			if ok, why := a.Decide(later); !ok {
				return &peer.Outcome{Result: peer.Withheld, Reason: why}
			}
			s.chain.AddMempool(commit)
			return &peer.Outcome{Result: peer.Asked, Reason: "it hung up after our error"}
		}
		s.begin()
		s.untilState(want)
		st := s.status()
		if want == model.Cheated && (len(st.Alarms) == 0 || !strings.Contains(st.Alarms[0], "HAD ITSELF REPORTED") || st.Channels[0].ClaimMsat == 0) {
			t.Errorf("alarms %q", st.Alarms)
		}
	}
}

// TestAnHTLCThatThePeerTakesIsLostAndTheChannelEnds: nothing waits for ever for
// an output that somebody else has spent.
func TestAnHTLCThatThePeerTakesIsLostAndTheChannelEnds(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.OutputsWaiting)
	var outs []wire.OutPoint
	for _, vout := range commit.HTLCVouts() {
		outs = append(outs, wire.OutPoint{Hash: commit.Tx.TxHash(), Index: uint32(vout)})
	}
	spend := chaintest.SpendTo(1000, []byte{0x51}, outs...)
	s.chain.AddMempool(spend)
	s.mine(1)
	s.until("the spends on record", func() bool {
		s.look()
		n := 0
		for _, o := range s.status().Channels[0].Outputs {
			if o.By == spend.TxHash().String() {
				n++
			}
		}
		return n == len(outs)
	})
	if got := s.state(); got != model.OutputsWaiting {
		t.Errorf("after one confirmation: %s", got)
	}
	s.start() // it is on record
	s.mine(claims.TakenConfs)
	s.untilState(model.Credited)
	st := s.status().Channels[0]
	if st.UnclaimedMsat != 0 || !strings.Contains(st.Reason, "lost to "+spend.TxHash().String()) {
		t.Errorf("unclaimed %d, reason %q", st.UnclaimedMsat, st.Reason)
	}
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
}
