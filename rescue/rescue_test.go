package rescue

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/model"
	secrets "github.com/glrecover/glrecover/recovery/secret"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// story is one lost node with a funded channel and an honest peer.
type story struct {
	t      *testing.T
	keys   *secrets.Keys
	ch     *channel.Channel
	chain  *chaintest.Chain
	commit *bolt3.CommitTx
	backup string
	dir    string
	// ledger, if set, stands for bitcoind.
	ledger Ledger

	mu    sync.Mutex
	heard int
	asked int
	met   int
	// away is a peer that cannot be reached, as often as it is dialled.
	away map[channel.PubKey]int
	// forgets: the honest peer does not speak of the channel. moved is by how much its
	// numbers go on, without a proof, when it is asked. liar says that the channel is
	// its own.
	forgets bool
	// slow: its close comes with close.
	slow bool
	// stale: it is at its first commitment again.
	stale bool
	moved uint64
	// alive: when it is asked it proves that something has used the channel since.
	alive  bool
	liar   channel.PubKey
	events []Event
}

const home1 = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

func newStory(t *testing.T) *story {
	t.Helper()
	const name = "used-both-ways"
	secret, err := keychain.Load(testdata.Corpus(name, "hsm_secret.hex"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, chain: chaintest.New("regtest", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)), dir: filepath.Join(t.TempDir(), "journal")}
	if s.keys, err = secrets.New(secret, "regtest"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.keys.Wipe)
	text := string(testdata.Read(t, name, "backup.json"))
	b, err := vlsstate.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	script, err := s.keys.FundingScript(b.Channels[0])
	if err != nil {
		t.Fatal(err)
	}
	s.chain.MineN(100)
	// The backup's own funding cannot be mined: it gets the one that was.
	tx, op := s.chain.Pay(int64(b.Channels[0].CapacitySat), script)
	s.chain.Mine(tx)
	s.chain.MineN(10)
	text = strings.ReplaceAll(text, hexOf(b.Channels[0].Funding.Hash), hexOf(op.Hash))
	if b, err = vlsstate.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	s.ch = b.Channels[0]
	s.backup = filepath.Join(t.TempDir(), "backup.json")
	if err := os.WriteFile(s.backup, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		t.Fatal(err)
	}
	st := &s.ch.State
	s.commit, err = bolt3.BuildCommitment(s.ch, ours, st.CounterpartyCommit, st.NextCounterpartyCommitNum-1, *st.CounterpartyPoint)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := bolt3.FundingScript(ours.Funding, s.ch.Remote.Funding)
	if err != nil {
		t.Fatal(err)
	}
	s.commit.Tx.TxIn[0].Witness = wire.TxWitness{nil, {1}, {1}, witness}
	return s
}

func hexOf(h [32]byte) string { return channel.ID(h).String() }

// numbers are what the peer says.
func (s *story) numbers() peer.Reestablish {
	st := &s.ch.State
	r := peer.Reestablish{
		Channel: s.ch.ID(), NextCommitment: st.NextCounterpartyCommitNum, NextRevocation: st.NextHolderCommitNum - 1, DataLossProtection: true,
	}
	if s.stale {
		r.NextCommitment, r.NextRevocation = 1, 0
		return r
	}
	secret, err := s.keys.PerCommitmentSecret(s.ch.Key, r.NextRevocation-1)
	if err != nil {
		s.t.Fatal(err)
	}
	r.YourLastSecret = secret
	return r
}

// Read is the peer that is heard.
func (s *story) Read(_ context.Context, t peer.Target, _ ...channel.ID) (*peer.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left, is := s.away[t.Node]; is {
		if s.away[t.Node] = left - 1; left > 0 {
			return &peer.Reading{Result: peer.Unreachable, Reason: "connection refused"}, nil
		}
		if t.Node != s.ch.Peer {
			return &peer.Reading{Result: peer.Read}, nil // it has no channel
		}
	}
	s.heard++
	if s.forgets && t.Node == s.ch.Peer {
		return &peer.Reading{Result: peer.Read}, nil
	}
	if t.Node == s.liar {
		lie := peer.Reestablish{Channel: s.ch.ID(), NextCommitment: 1, DataLossProtection: true}
		return &peer.Reading{Heard: peer.Heard{Channels: []peer.Reestablish{lie}}, Result: peer.Read}, nil
	}
	return &peer.Reading{Heard: peer.Heard{Channels: []peer.Reestablish{s.numbers()}}, Result: peer.Read}, nil
}

// AskClose is the peer that closes.
func (s *story) AskClose(_ context.Context, t peer.Target, a peer.Ask) (*peer.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.met++
	switch {
	case t.Node == s.liar:
		return &peer.Outcome{Result: peer.Asked, Reason: "sure"}, nil
	case s.forgets:
		return &peer.Outcome{Result: peer.NoReestablish, Reason: "no such channel"}, nil
	}
	r := s.numbers()
	r.NextCommitment += s.moved
	if s.alive {
		r.NextRevocation++
		secret, err := s.keys.PerCommitmentSecret(s.ch.Key, r.NextRevocation-1)
		if err != nil {
			s.t.Error(err)
		}
		r.YourLastSecret = secret
	}
	if ok, why := a.Decide(r); !ok {
		return &peer.Outcome{Result: peer.Withheld, Reason: why}, nil
	}
	s.asked++
	if !s.slow {
		s.chain.AddMempool(s.commit.Tx)
	}
	return &peer.Outcome{Result: peer.Asked, Reason: "it hung up"}, nil
}

// close lets the slow peer's close come.
func (s *story) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slow {
		s.slow = false
		s.chain.AddMempool(s.commit.Tx)
	}
}

// call is one call of the command, with the stop that an event may ask for.
func (s *story) call(p api.RecoverParams, stopAt func(Event) bool) (*End, error) {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	j, err := OpenJournal(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	// Blocks are found meanwhile.
	go func() {
		for ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			s.chain.MineMempool()
		}
	}()
	if p.Destination == "" {
		p.Destination = home1
	}
	if p.Feerate == "" {
		p.Feerate = "500perkw"
	}
	p.MaxFeePercent = new(uint64)
	begun, epoch := time.Now(), time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	return Run(ctx, Options{
		Keys: s.keys, Network: "regtest", Params: p, Ledger: s.ledger, Backend: s.chain.Backend(), Node: s.chain.Node(), Journal: j, Log: quietLog(),
		NewPeers:   func(api.Node, peer.NodeKey) (closing.Peers, error) { return s, nil },
		WatchEvery: 30 * time.Millisecond,
		Now:        func() time.Time { return epoch.Add(time.Since(begun)) },
		Tell: func(e Event) {
			s.events = append(s.events, e)
			if stopAt != nil && stopAt(e) {
				stop()
			}
		},
	})
}

func quietLog() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(new(strings.Builder))
	return log
}

func (s *story) withBackup() api.RecoverParams {
	return api.RecoverParams{Decommissioned: true, Backup: api.Backup{Path: s.backup}, Addresses: s.at()}
}

func (s *story) words() api.RecoverParams {
	return api.RecoverParams{Decommissioned: true, Peers: s.at()}
}

func (s *story) at() map[channel.PubKey]string {
	return map[channel.PubKey]string{s.ch.Peer: "127.0.0.1:9735"}
}

// paid is what the address has on the chain.
func (s *story) paid(end *End) {
	s.t.Helper()
	want := uint64(s.commit.Tx.TxOut[bolt3test.Output(s.commit, bolt3.ToRemoteOutput)].Value)
	if !end.Done || end.NeedsYou || end.PaidSat+end.FeeSat != want || end.FeeSat == 0 || len(end.Channels) != 1 {
		s.t.Errorf("the end: %+v, our output has %d sat", end, want)
	}
}

// TestACoinComesToTheAddress, with the backup and with the words alone; the journal
// then has no secret, and another call says at once that it is done.
func TestACoinComesToTheAddress(t *testing.T) {
	for name, params := range map[string]func(*story) api.RecoverParams{"backup": (*story).withBackup, "words": (*story).words} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			end, err := s.call(params(s), nil)
			if err != nil {
				t.Fatal(err)
			}
			s.paid(end)
			if s.asked != 1 || s.heard != 1 {
				t.Errorf("the peer was heard %d times and asked %d times", s.heard, s.asked)
			}
			planned := false
			for _, e := range s.events {
				if e.Event == "channel" && !planned {
					t.Fatal("something was done before the plan was shown")
				}
				planned = planned || e.Plan != nil
				if e.Plan != nil {
					text := strings.Join(e.Plan.Channels[0].Warnings, " ")
					if strings.Contains(text, "funding_mismatch") || strings.Contains(text, "the backup is older") {
						t.Errorf("the funding output is the right one, and the backup is new or none: %s", text)
					}
				}
			}
			end, err = s.call(params(s), nil)
			if err != nil {
				t.Fatal(err)
			}
			s.paid(end)
			if s.asked != 1 || s.heard != 1 {
				t.Errorf("the second call: the peer was heard %d times and asked %d times", s.heard, s.asked)
			}
			s.noSecretIn(s.dir)
		})
	}
}

// noSecretIn looks through the journal for the secrets of this node and its peer.
func (s *story) noSecretIn(dir string) {
	s.t.Helper()
	var bad []string
	hsm := strings.TrimSpace(string(testdata.Read(s.t, "used-both-ways", "hsm_secret.hex")))
	bad = append(bad, hsm)
	for n := range s.ch.State.NextHolderCommitNum + 2 {
		secret, err := s.keys.PerCommitmentSecret(s.ch.Key, n)
		if err != nil {
			s.t.Fatal(err)
		}
		bad = append(bad, channel.ID(secret).String())
	}
	for _, x := range s.ch.State.Secrets {
		bad = append(bad, channel.ID(x.Secret).String())
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, b := range bad {
			if strings.Contains(strings.ToLower(string(raw)), b) {
				s.t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// TestItGoesOnWhereverItIsStopped: at each piece of news the call is ended, and the
// next one goes on; the coin comes all the same, and nothing is paid twice.
func TestItGoesOnWhereverItIsStopped(t *testing.T) {
	for name, params := range map[string]func(*story) api.RecoverParams{"backup": (*story).withBackup, "words": (*story).words} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			seen := map[string]bool{}
			stops := 0
			for range 40 {
				end, err := s.call(params(s), func(e Event) bool {
					key := e.Event
					if e.Channel != nil {
						key += string(e.Channel.State) + strings.Split(e.Channel.Text, " ")[0]
					}
					fresh := !seen[key] && e.Event != "end" && e.Event != "chain"
					seen[key] = true
					return fresh
				})
				if err != nil && !strings.Contains(err.Error(), "canceled") {
					t.Fatal(err)
				}
				if end != nil && end.Done {
					s.paid(end)
					if stops < 3 {
						t.Errorf("it was stopped %d times", stops)
					}
					return
				}
				stops++
			}
			t.Fatal("it comes to no end")
		})
	}
}

// TestWhatIsRefusedChangesNothing.
func TestWhatIsRefusedChangesNothing(t *testing.T) {
	s := newStory(t)
	other := s.withBackup()
	other.Destination = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	unsaid := s.withBackup()
	unsaid.Decommissioned = false
	for what, x := range map[string]struct {
		p    api.RecoverParams
		want failure.Name
	}{
		"an address of another network": {other, failure.InvalidParameter},
		"no statement":                  {unsaid, failure.NotDecommissioned},
		"neither backup nor peer":       {api.RecoverParams{Decommissioned: true}, failure.InvalidParameter},
	} {
		if _, err := s.call(x.p, nil); failure.NameOf(err) != x.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s.heard+s.asked > 0 || !s.unspent() {
		t.Error("a peer was met, or the channel was closed")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "glrecover")); err == nil {
		t.Error("something is on record")
	}
}

func (s *story) unspent() bool {
	out, err := s.chain.Node().TxOut(s.t.Context(), s.ch.Funding, true)
	return err == nil && out != nil
}

// TestADryRunMeetsNobody without the statement.
func TestADryRunMeetsNobody(t *testing.T) {
	s := newStory(t)
	p := s.withBackup()
	p.Decommissioned, p.DryRun = false, true
	end, err := s.call(p, nil)
	if err != nil || !end.Done || s.heard+s.asked > 0 {
		t.Errorf("%+v, %v; heard %d, asked %d", end, err, s.heard, s.asked)
	}
	if len(s.events) == 0 || s.events[len(s.events)-1].Plan == nil {
		t.Error("no plan is shown")
	}
}

// TestAFeeThatNobodyKnowsIsAskedForBeforeAnybodyIsMet.
func TestAFeeThatNobodyKnowsIsAskedForBeforeAnybodyIsMet(t *testing.T) {
	s := newStory(t)
	j, err := OpenJournal(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p := s.withBackup()
	p.Destination = home1
	_, err = Run(t.Context(), Options{
		Keys: s.keys, Network: "regtest", Params: p, Backend: noFees{s.chain.Backend()}, Node: s.chain.Node(), Journal: j, Log: quietLog(), Tell: func(Event) {},
		NewPeers: func(api.Node, peer.NodeKey) (closing.Peers, error) { return s, nil },
	})
	if failure.NameOf(err) != failure.InvalidParameter || !strings.Contains(err.Error(), "--feerate") || s.heard > 0 {
		t.Errorf("%v; heard %d", err, s.heard)
	}
}

// noFees is a backend without an estimate.
type noFees struct{ chain.Backend }

func (noFees) EstimateFees(context.Context) (chain.Fees, error) { return chain.Fees{}, nil }

// TestEachStateHasALine.
func TestEachStateHasALine(t *testing.T) {
	for _, in := range model.States {
		st := state.New(state.Config{}, &model.Run{Destination: home1}, []model.Record{{
			State: in, Reason: "the reason", Close: &model.Close{Txid: "aa", Height: 5},
			Channel: channel.Channel{Key: channel.Key{DBID: 1}},
		}})
		for _, k := range st.Keys() {
			l := lineOf(st, st.Channels[k])
			if l.Text == "" || strings.Contains(l.Text, "override=") {
				t.Errorf("%s: the text is %q", in, l.Text)
			}
			if in == model.HostedAlive && !strings.Contains(l.Text, "--override hosted_node_alive") {
				t.Errorf("the alarm does not say how it goes on: %q", l.Text)
			}
		}
	}
}

// other is another peer that the user names.
func other(t *testing.T) channel.PubKey {
	t.Helper()
	id, err := channel.ParsePubKey("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestAPeerThatWasAwayIsNotForgotten: one of the named peers cannot be reached. The
// rest is recovered, the end says who is missing, and the next call hears that one,
// also where it is not named again.
func TestAPeerThatWasAwayIsNotForgotten(t *testing.T) {
	for name, params := range map[string]func(*story) api.RecoverParams{"backup": (*story).withBackup, "words": (*story).words} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			missing := other(t)
			s.away = map[channel.PubKey]int{missing: 2} // before the plan, and before the end
			p := params(s)
			p.Peers = s.at()
			p.Peers[missing] = "127.0.0.1:9736"
			end, err := s.call(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !end.NeedsYou || len(end.Unheard) != 1 || end.Unheard[0].Peer != missing || end.PaidSat == 0 {
				t.Errorf("the end of the first call: %+v", end)
			}
			end, err = s.call(params(s), nil)
			if err != nil {
				t.Fatal(err)
			}
			if s.paid(end); len(end.Unheard) > 0 || s.away[missing] != -1 {
				t.Errorf("the end of the second call: %+v; the peer was dialled %d times more", end, -s.away[missing])
			}
		})
	}
}

// TestNoPeerCanBeHeard, or none of them knows this node: the two are told apart.
func TestNoPeerCanBeHeard(t *testing.T) {
	for _, x := range []struct {
		away int
		name failure.Name
		text string
	}{
		{1, failure.NodeUnreachable, "unreachable"},
		{0, failure.InvalidParameter, "Are these the words of the lost node?"},
	} {
		s := newStory(t)
		s.away = map[channel.PubKey]int{other(t): x.away}
		p := api.RecoverParams{Decommissioned: true, Peers: map[channel.PubKey]string{other(t): "127.0.0.1:9736"}}
		if _, err := s.call(p, nil); failure.NameOf(err) != x.name || !strings.Contains(err.Error(), x.text) {
			t.Errorf("away %d times: %v", x.away, err)
		}
	}
}

// TestAnotherFeerateOrDateIsTakenByTheNextCall.
func TestAnotherFeerateOrDateIsTakenByTheNextCall(t *testing.T) {
	s := newStory(t)
	stop := func(e Event) bool { return e.Channel != nil }
	if _, err := s.call(s.words(), stop); err != nil {
		t.Fatal(err)
	}
	p := s.words()
	p.Feerate, p.Since = "2000perkw", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
	low, err := newStory(t).call(s.words(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if end.FeeSat < 3*low.FeeSat {
		t.Errorf("the fee is %d sat, with the first feerate %d", end.FeeSat, low.FeeSat)
	}
	if s.heard != 2 {
		t.Errorf("heard %d times: the closes since that day were not looked for", s.heard)
	}
}

// TestASweepThatCostsTooMuchWaitsForTheUser: it ends and says so, and the next call
// with a lower feerate brings the coin.
func TestASweepThatCostsTooMuchWaitsForTheUser(t *testing.T) {
	s := newStory(t)
	p := s.words()
	p.Feerate = "2500000perkw"
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !end.NeedsYou || end.PaidSat > 0 || len(end.Channels) != 1 || !strings.Contains(end.Channels[0].Text, "--feerate") {
		t.Errorf("the end: %+v", end)
	}
	if end, err = s.call(s.words(), nil); err != nil {
		t.Fatal(err)
	}
	s.paid(end)
}

// TestACloseThatThePeerStillSpeaksOf: the channel was closed before, and its peer
// speaks of it all the same. It is one channel, and its coin comes.
func TestACloseThatThePeerStillSpeaksOf(t *testing.T) {
	s := newStory(t)
	s.chain.Mine(s.commit.Tx)
	s.chain.MineN(20)
	p := s.words()
	p.Since = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.paid(end); s.asked > 0 {
		t.Errorf("the peer was asked %d times", s.asked)
	}
}

// TestAJournalThatCannotBeWrittenIsSaid, and nothing is done meanwhile; it goes on as
// soon as there is place again.
func TestAJournalThatCannotBeWrittenIsSaid(t *testing.T) {
	s := newStory(t)
	at := filepath.Join(s.dir, "glrecover")
	broken, said := false, false
	end, err := s.call(s.words(), func(e Event) bool {
		switch {
		case e.Channel != nil && !broken:
			broken = true
			if err := os.Rename(at, at+".away"); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(at, nil, 0o600); err != nil {
				t.Error(err)
			}
		case e.Chain != nil && !said && strings.Contains(e.Chain.Trouble, "the journal cannot be written"):
			said = true
			if err := os.Remove(at); err != nil {
				t.Error(err)
			}
			if err := os.Rename(at+".away", at); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	if err != nil || !said {
		t.Fatalf("said: %v, %v", said, err)
	}
	s.paid(end)
}

// TestWhoWasToBeHeardIsOnRecordBefore: a call that is ended in the middle leaves the
// named peers to the next one.
func TestWhoWasToBeHeardIsOnRecordBefore(t *testing.T) {
	s := newStory(t)
	left := func() []backup.Unheard {
		list, _, err := (&Journal{dir: s.dir}).unheard(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	_, _ = s.call(s.words(), func(e Event) bool { return e.Plan != nil })
	if list := left(); len(list) != 1 || list[0].Peer != s.ch.Peer || list[0].Address == "" {
		t.Errorf("after a call that was ended: %+v", list)
	}
	end, err := s.call(s.words(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.paid(end); len(left()) > 0 {
		t.Errorf("at the end: %+v", left())
	}
}
