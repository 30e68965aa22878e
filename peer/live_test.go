package peer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/peer"
)

// These tests run against real nodes on regtest, where they are on PATH. Each
// lets a node with channels die and speaks in its place.

func TestMain(m *testing.M) { os.Exit(h.Main(m.Run)) }

// ghost is a dead node's identity.
type ghost struct {
	t      *testing.T
	secret *keychain.Secret
	client *peer.Client
}

func ghostOf(t *testing.T, node *h.CLN) *ghost {
	t.Helper()
	secret, err := keychain.FromBytes(node.Secret[:]).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := secret.NodeKey()
	if err != nil {
		t.Fatal(err)
	}
	if key.ID().String() != node.ID {
		t.Fatalf("derived node id %s, lightningd says %s", key.ID(), node.ID)
	}
	c, err := peer.New(peer.Config{Key: key, Timeouts: peer.Timeouts{Reestablish: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	return &ghost{t: t, secret: secret, client: c}
}

func target(t *testing.T, node h.Node) peer.Target {
	t.Helper()
	id, err := channel.ParsePubKey(node.NodeID())
	if err != nil {
		t.Fatal(err)
	}
	addr, err := peer.ParseAddress(node.Address())
	if err != nil {
		t.Fatal(err)
	}
	return peer.Target{Node: id, Address: addr}
}

// perCommitment gives the dead node's secrets with one peer.
func (g *ghost) perCommitment(with h.Node, dbid uint64) func(uint64) [32]byte {
	g.t.Helper()
	keys, err := g.secret.ChannelKeys(target(g.t, with).Node, dbid)
	if err != nil {
		g.t.Fatal(err)
	}
	return func(n uint64) [32]byte {
		s, err := keys.PerCommitmentSecret(n)
		if err != nil {
			g.t.Error(err)
		}
		return s
	}
}

// numbers reads until the session was not evicted by the end of the dead
// node's own connection.
func (g *ghost) numbers(of h.Node, expect ...channel.ID) *peer.Reading {
	g.t.Helper()
	var n *peer.Reading
	h.Wait(tb{g.t}, "the numbers", func() (err error) {
		n, err = g.client.Read(g.t.Context(), target(g.t, of), expect...)
		if err == nil && n.Result != peer.Read {
			err = fmt.Errorf("%s: %s", n.Result, n.Reason)
		}
		return err
	})
	return n
}

// ask repeats the request for as long as the session is evicted.
func (g *ghost) ask(of h.Node, a peer.Ask) *peer.Outcome {
	g.t.Helper()
	var o *peer.Outcome
	h.Wait(tb{g.t}, "an answer", func() (err error) {
		o, err = g.client.AskClose(g.t.Context(), target(g.t, of), a)
		if err == nil && o.Result == peer.Evicted {
			err = errors.New("evicted")
		}
		return err
	})
	g.t.Logf("%s: %s, sent %s, %q", of.NodeName(), o.Result, o.Sent, o.Reason)
	return o
}

// tb gives the harness a testing.T.
type tb struct{ *testing.T }

func idOf(t *testing.T, o h.Outpoint) channel.ID {
	t.Helper()
	hash, err := chainhash.NewHashFromStr(o.Txid)
	if err != nil {
		t.Fatal(err)
	}
	return channel.V1ID(wire.OutPoint{Hash: *hash, Index: o.Vout})
}

func always(peer.Reestablish) (bool, string) { return true, "" }

func TestLiveCLNTellsItsNumbersAndClosesAUsedChannel(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	funding := n.Open(node, other, h.OpenOptions{Sat: 1_000_000})
	n.Use(node, other, funding, 1_000_000)
	node.Kill()
	g, id := ghostOf(t, node), idOf(t, funding)

	start := time.Now()
	numbers := g.numbers(other, id)
	t.Logf("numbers after %v, peer storage %d bytes, said %v", time.Since(start), len(numbers.PeerStorage), numbers.Said)
	r, ok := numbers.For(id)
	if !ok || len(numbers.Channels) != 1 || r.NextCommitment < 2 || r.NextRevocation < 1 {
		t.Fatalf("numbers: %+v", numbers.Channels)
	}
	if len(numbers.PeerStorage) == 0 {
		t.Error("CLN returned no peer storage")
	}
	if err := n.StillUnspent(funding); err != nil {
		t.Fatalf("reading the numbers closed the channel: %v", err)
	}

	// A backup that is current, one from birth, and one from the future.
	secrets := g.perCommitment(other, 1)
	backup := func(h, c, rev uint64) *channel.Channel {
		return &channel.Channel{State: channel.State{NextHolderCommitNum: h, NextCounterpartyCommitNum: c, NextCounterpartyRevokeNum: rev}}
	}
	nc, nr := r.NextCommitment, r.NextRevocation
	for _, tc := range []struct {
		ch   *channel.Channel
		want peer.VerdictKind
	}{
		{backup(nr+1, nc, nc-1), peer.NotRefuted},
		{backup(0, 0, 0), peer.Older},
		{backup(nr+1, nc+2, nc+1), peer.PeerStale},
	} {
		v := peer.Freshness(tc.ch, r, secrets)
		if v.Kind != tc.want || v.Proof != peer.ProofValid {
			t.Errorf("verdict %+v, want %s and a valid proof", v, tc.want)
		}
	}
	if v := peer.Freshness(backup(nr+1, nc, nc-1), r, g.perCommitment(other, 2)); v.Kind != peer.FalseProof {
		t.Errorf("another channel's secrets: %+v", v)
	}

	// What Decide does not want is not done.
	o := g.ask(other, peer.Ask{Channel: id, Decide: unlessStale(backup(nr+1, nc+2, nc+1), secrets)})
	if o.Result != peer.Withheld || o.Sent != peer.SentNothing || !strings.HasPrefix(o.Reason, "peer_stale") {
		t.Errorf("%+v", o)
	}
	if err := n.StillUnspent(funding); err != nil {
		t.Fatal(err)
	}

	o = g.ask(other, peer.Ask{Channel: id, Decide: unlessStale(backup(0, 0, 0), secrets)})
	if o.Sent != peer.SentError || o.Before == nil || o.Before.NextCommitment != nc {
		t.Errorf("%+v", o)
	}
	t.Logf("closed by %s", n.WaitSpent(funding))

	// Asked again, the peer says itself that it has failed the channel.
	o = g.ask(other, peer.Ask{Channel: id, Decide: always, Probe: true})
	if o.Result != peer.ClosedSaid {
		t.Errorf("%+v", o)
	}
}

func TestLiveCLNClosesChannelsThatWereNeverUsed(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	ours := n.Open(node, other, h.OpenOptions{Sat: 1_000_000})
	theirs := n.Open(other, node, h.OpenOptions{Sat: 700_000})
	srk := n.Open(node, other, h.OpenOptions{Sat: 500_000, PushSat: 200_000, StaticRemoteKey: true})
	node.Kill()
	g := ghostOf(t, node)
	all := []h.Outpoint{ours, theirs, srk}
	var ids []channel.ID
	for _, o := range all {
		ids = append(ids, idOf(t, o))
	}
	numbers := g.numbers(other, ids...)
	if len(numbers.Channels) != 3 {
		t.Fatalf("%+v", numbers.Channels)
	}
	for i, funding := range all {
		r, _ := numbers.For(ids[i])
		if v := peer.Freshness(&channel.Channel{}, r, g.perCommitment(other, uint64(i+1))); v.Kind != peer.NotRefuted || v.Proof != peer.ProofNone {
			t.Errorf("birth snapshot of channel %d: %+v, numbers %d, %d", i+1, v, r.NextCommitment, r.NextRevocation)
		}
		g.ask(other, peer.Ask{Channel: ids[i], Decide: always})
		n.WaitSpent(funding)
		for _, later := range all[i+1:] {
			if err := n.StillUnspent(later); err != nil {
				t.Errorf("asked for channel %d only: %v", i+1, err)
			}
		}
	}
}

// A fundee that awaits channel_ready forgets the channel at a bare error: the
// coins would stay in the 2-of-2.
func TestLiveCLNFundeeThatAwaitsChannelReadyCloses(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	for _, confirmed := range []bool{true, false} {
		t.Run(fmt.Sprintf("funding confirmed %v", confirmed), func(t *testing.T) {
			n := h.New(tb{t})
			other := n.CLN("other", h.CLNConfig{})
			node := n.CLN("node", h.CLNConfig{})
			funding := openAndDie(t, node, other)
			if confirmed {
				n.Mine(6, other)
			}
			other.WaitState(funding, "CHANNELD_AWAITING_LOCKIN")
			g := ghostOf(t, node)
			r, ok := g.numbers(other, idOf(t, funding)).For(idOf(t, funding))
			if !ok || r.NextCommitment != 1 || r.NextRevocation != 0 {
				t.Errorf("numbers: %v, %+v", ok, r)
			}
			o := g.ask(other, peer.Ask{Channel: idOf(t, funding), Decide: always})
			if o.Sent != peer.SentError {
				t.Errorf("%+v", o)
			}
			if !confirmed {
				n.Bitcoind.Mine(1)
			}
			n.WaitSpent(funding)
		})
	}
}

func TestLiveCLNClosesALiveChannelBesideDeadOnes(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	fundings := n.OpenSeveral(node, other, h.OpenOptions{Sat: 1_000_000}, h.OpenOptions{Sat: 800_000}, h.OpenOptions{Sat: 600_000})
	forced, buried, alive := fundings[0], fundings[1], fundings[2]
	n.Pay(node, other, 100_000_000)
	node.MutualClose(buried)
	n.WaitSpent(buried)
	n.Mine(110, node, other)
	node.Kill()
	other.ForceClose(forced)
	g := ghostOf(t, node)
	g.numbers(other, idOf(t, alive))

	o := g.ask(other, peer.Ask{Channel: idOf(t, buried), Decide: always})
	if o.Result != peer.NoReestablish || o.Sent != peer.SentNothing {
		t.Errorf("a buried channel: %+v", o)
	}
	o = g.ask(other, peer.Ask{Channel: idOf(t, buried), Decide: always, Probe: true})
	if o.Sent == peer.SentNothing || o.Reason == "" || o.Result != peer.ClosedSaid && o.Result != peer.NoReestablish {
		t.Errorf("a buried channel, probed: %+v", o)
	}
	o = g.ask(other, peer.Ask{Channel: idOf(t, alive), Decide: always})
	if o.Sent != peer.SentError {
		t.Errorf("the live channel: %+v", o)
	}
	n.WaitSpent(alive)
	o = g.ask(other, peer.Ask{Channel: channel.ID{1, 2, 3}, Decide: always, Probe: true})
	if o.Result != peer.NoReestablish || o.Sent != peer.SentReestablish || o.Reason == "" {
		t.Errorf("a channel that never was: %+v", o)
	}
}

func TestLiveCLNEvictsTheOlderSession(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	funding := n.Open(node, other, h.OpenOptions{Sat: 1_000_000})
	node.Kill()
	g := ghostOf(t, node)
	g.numbers(other, idOf(t, funding))

	slow, err := peer.New(peer.Config{Key: must(g.secret.NodeKey()), Timeouts: peer.Timeouts{Reestablish: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		o   *peer.Outcome
		err error
	}
	older := make(chan result, 1)
	deciding := make(chan struct{})
	proceed := make(chan struct{})
	go func() {
		o, err := slow.AskClose(context.WithoutCancel(t.Context()), target(t, other), peer.Ask{
			Channel: idOf(t, funding),
			Decide: func(peer.Reestablish) (bool, string) {
				close(deciding)
				<-proceed
				return true, ""
			},
		})
		older <- result{o, err}
	}()
	<-deciding
	newer := g.numbers(other, idOf(t, funding))
	close(proceed)
	got := <-older
	if got.err != nil || got.o.Result != peer.Evicted {
		t.Errorf("%+v, %v", got.o, got.err)
	}
	if len(newer.Channels) != 1 {
		t.Errorf("%+v", newer)
	}
	if err := n.StillUnspent(funding); err != nil {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestLiveTheWrongKeyAndTheWrongPortAreNamed(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	g := ghostOf(t, node)
	swapped := target(t, other)
	swapped.Node = target(t, node).Node
	if got, err := g.client.Read(t.Context(), swapped); err != nil || got.Result != peer.WrongKey {
		t.Errorf("%+v, %v", got, err)
	}
	swapped.Address.Port = uint16(n.Bitcoind.RPCPort)
	if got, err := g.client.Read(t.Context(), swapped); err != nil || got.Result != peer.WrongKey && got.Result != peer.Silent {
		t.Errorf("bitcoind's RPC: %+v, %v", got, err)
	}
	swapped.Address.Port = uint16(h.FreePort(tb{t}))
	if got, err := g.client.Read(t.Context(), swapped); err != nil || got.Result != peer.Unreachable {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := g.client.Read(t.Context(), target(t, other)); err != nil || got.Result != peer.Read || len(got.Channels) != 0 {
		t.Errorf("no channels with it: %+v, %v", got, err)
	}
}

func TestLiveLNDTellsItsNumbersAndCloses(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.LND)
	n := h.New(tb{t})
	other := n.LND("other")
	node := n.CLN("node", h.CLNConfig{})
	used := n.Open(node, other, h.OpenOptions{Sat: 1_000_000})
	n.Use(node, other, used, 1_000_000)
	unused := n.Open(node, other, h.OpenOptions{Sat: 700_000})
	theirs := n.Open(other, node, h.OpenOptions{Sat: 600_000})
	node.Kill()
	g := ghostOf(t, node)
	all := []h.Outpoint{used, unused, theirs}
	var ids []channel.ID
	for _, o := range all {
		ids = append(ids, idOf(t, o))
	}

	start := time.Now()
	numbers := g.numbers(other, ids...)
	t.Logf("numbers after %v: %+v, said %v", time.Since(start), numbers.Channels, numbers.Said)
	if len(numbers.Channels) != 3 {
		t.Fatalf("%+v", numbers)
	}
	r, _ := numbers.For(ids[0])
	if v := peer.Freshness(&channel.Channel{}, r, g.perCommitment(other, 1)); v.Kind != peer.Older || v.Proof != peer.ProofValid {
		t.Errorf("%+v", v)
	}
	for _, funding := range all {
		if err := n.StillUnspent(funding); err != nil {
			t.Fatalf("reading the numbers closed a channel: %v", err)
		}
	}
	for i, funding := range all {
		o := g.ask(other, peer.Ask{Channel: ids[i], Decide: always})
		if o.Sent == peer.SentNothing || o.Before == nil {
			t.Errorf("%+v", o)
		}
		n.WaitSpent(funding)
		for _, later := range all[i+1:] {
			if err := n.StillUnspent(later); err != nil {
				t.Errorf("asked for another channel: %v", err)
			}
		}
	}
}

// openAndDie has node open a channel and die before the funding confirms.
func openAndDie(t *testing.T, node *h.CLN, to h.Node) h.Outpoint {
	t.Helper()
	node.FundWallet(2_000_000)
	to.WaitSynced()
	node.Connect(to)
	var a struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"outnum"`
	}
	h.Wait(tb{t}, "the opening", func() error {
		return node.Call("fundchannel", h.Params{"id": to.NodeID(), "amount": 1_000_000, "announce": false, "mindepth": 1}, &a)
	})
	node.Kill()
	return h.Outpoint{Txid: a.Txid, Vout: a.Vout}
}

// lnd says nothing about a channel before its funding confirms, so nothing is
// sent; from then on it closes, channel_ready or not.
func TestLiveLNDFundeeThatAwaitsChannelReadyCloses(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.LND)
	n := h.New(tb{t})
	other := n.LND("other")
	node := n.CLN("node", h.CLNConfig{})
	funding := openAndDie(t, node, other)
	g, id := ghostOf(t, node), idOf(t, funding)
	o := g.ask(other, peer.Ask{Channel: id, Decide: always})
	if o.Result != peer.NoReestablish || o.Sent != peer.SentNothing {
		t.Errorf("unconfirmed: %+v", o)
	}
	n.Mine(6, other)
	h.Wait(tb{t}, "lnd to close", func() error {
		o = g.ask(other, peer.Ask{Channel: id, Decide: always})
		if n.StillUnspent(funding) == nil {
			return errors.New("not closed yet")
		}
		return nil
	})
	if o.Before == nil || o.Before.NextCommitment != 1 || o.Before.NextRevocation != 0 || o.Sent != peer.SentError {
		t.Errorf("confirmed: %+v", o)
	}
}

// The blob that comes back is the one that the dead node gave: CLN keeps it in
// its datastore under our id.
func TestLiveCLNReturnsThePeerStorageThatItKept(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	other := n.CLN("other", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	funding := n.Open(node, other, h.OpenOptions{Sat: 1_000_000})
	// The placeholder is there since the channel is; a second connection fills
	// it.
	kept := func() (string, error) {
		var a struct {
			Datastore []struct {
				Key []string `json:"key"`
				Hex string   `json:"hex"`
			} `json:"datastore"`
		}
		err := other.Call("listdatastore", h.Params{"key": []string{"chanbackup", "peers"}}, &a)
		for _, d := range a.Datastore {
			if err == nil && slices.Contains(d.Key, node.ID) && d.Hex != "" {
				return d.Hex, nil
			}
		}
		return "", errors.Join(err, errors.New("nothing kept yet"))
	}
	node.Disconnect(other)
	node.Connect(other)
	h.Wait(tb{t}, "the peer to keep our blob", func() error { _, err := kept(); return err })
	node.Kill()
	want, err := kept()
	if err != nil {
		t.Fatal(err)
	}
	got := ghostOf(t, node).numbers(other, idOf(t, funding))
	if hex.EncodeToString(got.PeerStorage) != want {
		t.Errorf("%d bytes came back, %d were kept", len(got.PeerStorage), len(want)/2)
	}
}

// unlessStale is the decision of money rule 2: nothing is sent to a peer that is
// itself behind.
func unlessStale(ch *channel.Channel, perCommitmentSecret func(n uint64) [32]byte) peer.Decide {
	return func(r peer.Reestablish) (bool, string) {
		v := peer.Freshness(ch, r, perCommitmentSecret)
		return v.Kind != peer.PeerStale, string(v.Kind) + ": " + v.Reason
	}
}
