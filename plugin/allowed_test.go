package plugin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// standIn is a lightningd that knows the methods that a look may use, and fails
// the test on every other one.
type standIn struct {
	*lightningdtest.Socket
	t     *testing.T
	chain *chaintest.Chain
	// unspent are funding outputs that getutxout has.
	unspent map[wire.OutPoint]uint64

	mu     sync.Mutex
	blocks []uint32
}

// newStandIn is a fresh node that runs with the secret of a corpus case.
func newStandIn(t *testing.T, b *vlsstate.Backup, gossip bool) *standIn {
	t.Helper()
	s := &standIn{
		Socket: lightningdtest.NewSocket(t), t: t, unspent: map[wire.OutPoint]uint64{},
		chain: chaintest.New("regtest", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)),
	}
	s.chain.MineN(2 * chain.KeptBlocks)
	backend := s.chain.Backend()
	s.Answer("getinfo", map[string]any{"id": b.NodeID.String(), "network": "regtest", "version": "v26.06.6", "blockheight": s.chain.Height()})
	for method, list := range map[string]string{
		"listpeerchannels": "channels", "listclosedchannels": "closedchannels", "staticbackup": "scb",
		"listpeers": "peers", "listchannels": "channels", "listdatastore": "datastore",
	} {
		s.Answer(method, map[string]any{list: []any{}})
	}
	s.Answer("listfunds", map[string]any{"outputs": []any{}, "channels": []any{}})
	s.Answer("feerates", map[string]any{"perkw": map[string]any{}})
	s.Answer("getchaininfo", map[string]any{"chain": "regtest", "headercount": s.chain.Height(), "blockcount": s.chain.Height(), "ibd": false})
	s.Answer("listnodes", map[string]any{"nodes": []any{}})
	if gossip {
		s.Handle("listnodes", func(params json.RawMessage) (any, error) {
			var q struct{ ID string }
			if err := json.Unmarshal(params, &q); err != nil || q.ID == "" {
				return nil, errors.New("all of gossip was asked for")
			}
			return map[string]any{"nodes": []any{map[string]any{
				"nodeid": q.ID, "last_timestamp": 1_700_000_000,
				"addresses": []any{map[string]any{"type": "ipv4", "address": "192.0.2.1", "port": 9735}},
			}}}, nil
		})
	}
	// bitcoind itself answers nobody here: port 1 of the loopback.
	s.Answer("listconfigs", map[string]any{"configs": map[string]any{
		"bitcoin-rpcport": map[string]any{"value_str": "1"}, "bitcoin-rpcuser": map[string]any{"value_str": "u"},
		"bitcoin-rpcpassword": map[string]any{"value_str": "p"}, "bitcoin-datadir": map[string]any{"value_str": t.TempDir()},
	}})
	s.Handle("getutxout", func(params json.RawMessage) (any, error) {
		var q struct {
			Txid string
			Vout uint32
		}
		if err := json.Unmarshal(params, &q); err != nil {
			return nil, err
		}
		hash, err := chainhash.NewHashFromStr(q.Txid)
		if err != nil {
			return nil, err
		}
		if sat, ok := s.unspent[wire.OutPoint{Hash: *hash, Index: q.Vout}]; ok {
			return map[string]any{"amount": sat, "script": "0020" + strings.Repeat("00", 32)}, nil
		}
		return map[string]any{"amount": nil, "script": nil}, nil
	})
	s.Handle("getrawblockbyheight", func(params json.RawMessage) (any, error) {
		var q struct{ Height uint32 }
		if err := json.Unmarshal(params, &q); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.blocks = append(s.blocks, q.Height)
		s.mu.Unlock()
		block, err := backend.Block(context.Background(), q.Height)
		if errors.Is(err, chain.ErrNoBlock) {
			return map[string]any{"blockhash": nil, "block": nil}, nil
		}
		if err != nil {
			return nil, err
		}
		return map[string]any{"blockhash": block.Hash.String(), "block": hex.EncodeToString(block.Raw)}, nil
	})
	return s
}

// lowest is the lowest block that was asked for.
func (s *standIn) lowest() (height uint32, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.blocks) == 0 {
		return 0, false
	}
	return slices.Min(s.blocks), true
}

// noPeers fails the test at every session: one with the node's key kicks a live
// hosted node off.
type noPeers struct{ t *testing.T }

func (p noPeers) Read(context.Context, peer.Target, ...channel.ID) (*peer.Reading, error) {
	p.t.Error("a session with a peer was opened")
	return &peer.Reading{Result: peer.Unreachable}, nil
}

func (p noPeers) AskClose(context.Context, peer.Target, peer.Ask) (*peer.Outcome, error) {
	p.t.Error("a peer was asked to close")
	return &peer.Outcome{Result: peer.Unreachable}, nil
}

// service is the one that the plugin runs, started on the stand-in; only its
// sessions are not real.
func (s *standIn) service(corpusCase string, peers closing.Peers) *recovery.Service {
	s.t.Helper()
	dir := s.t.TempDir()
	text, err := os.ReadFile(testdata.Corpus(corpusCase, "hsm_secret.hex"))
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hsm_secret"), secret, 0o400); err != nil {
		s.t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	d := deps(s.Client(), log)
	d.NewPeers = func(api.Node, peer.NodeKey) (closing.Peers, error) { return peers, nil }
	service := recovery.New(d)
	facts := api.Node{RPCSocket: s.Path(), LightningDir: dir, Network: "regtest", Version: "v26.06.6", AtStartup: true}
	if err := service.Start(s.t.Context(), facts); err != nil {
		s.t.Fatal(err)
	}
	return service
}

// TestALookUsesOnlyTheAllowedMethods: without the flag, in every dry run and in
// glrecover-inspect, for each genuine backup, through the real client, and with
// every kind of evidence.
func TestALookUsesOnlyTheAllowedMethods(t *testing.T) {
	for _, name := range testdata.Cases(t) {
		t.Run(name, func(t *testing.T) {
			b := readCorpus(t, name)
			for _, there := range []bool{false, true} {
				n := newStandIn(t, b, there)
				if there {
					for _, c := range b.Channels {
						n.unspent[c.Funding] = c.CapacitySat
					}
				}
				s := n.service(name, noPeers{t})
				path := api.Backup{Path: testdata.Corpus(name, "backup.json")}

				before := len(n.Calls())
				_, err := s.Recover(t.Context(), api.RecoverParams{Backup: path}, silent{})
				if failure.NameOf(err) != failure.NotDecommissioned {
					t.Errorf("without the flag: %v", err)
				}
				if after := len(n.Calls()); after != before {
					t.Errorf("without the flag lightningd was called: %v", n.Calls()[before:])
				}
				for _, flag := range []bool{false, true} {
					a, err := s.Recover(t.Context(), api.RecoverParams{Backup: path, DryRun: true, Decommissioned: flag}, silent{})
					if err != nil {
						t.Fatal(err)
					}
					want := string(chain.FundingUnknown)
					if there {
						want = string(chain.FundingUnspent)
					}
					for _, c := range a.(*answer.Answer).Channels {
						if c.Result != answer.NeverOpened && (c.Evidence == nil || c.Evidence.State != want) {
							t.Errorf("channel %d: evidence %+v, want %s", c.DBID, c.Evidence, want)
						}
					}
				}
				if _, err := s.Inspect(t.Context(), path); err != nil {
					t.Fatal(err)
				}
				n.atRest()
				if _, err := s.Status(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestADryRunAsksForNoBlockThatMayBePruned: where bitcoind itself cannot be
// asked, nobody says what is pruned, and bcli waits for a pruned block for a
// minute, and lightningd with it.
func TestADryRunAsksForNoBlockThatMayBePruned(t *testing.T) {
	b := readCorpus(t, "used-both-ways")
	n := newStandIn(t, b, false)
	n.chain.Prune(n.chain.Height() - chain.KeptBlocks + 1)
	if created := b.CreatedAt.Sub(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)); created < chain.KeptBlocks*chaintest.Interval {
		t.Fatal("the backup is older than the chain")
	}
	old := *b
	old.CreatedAt = time.Date(2026, 11, 1, 1, 0, 0, 0, time.UTC)
	if _, err := plan.Make(t.Context(), plan.Inputs{Backup: &backup.Loaded{Backup: &old}, Chain: chain.Join(n.Client(), nil), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	floor := n.chain.Height() - chain.KeptBlocks + 1
	switch low, asked := n.lowest(); {
	case !asked:
		t.Error("no block was looked at")
	case low < floor:
		t.Errorf("asked for block %d; below %d it may be pruned", low, floor)
	}
}

// TestTheRealRunIsSeenByTheStandIn: the test above can fail.
func TestTheRealRunIsSeenByTheStandIn(t *testing.T) {
	b := readCorpus(t, "used-both-ways")
	n := newStandIn(t, b, false)
	for _, method := range []string{"datastore", "deldatastore"} {
		n.Handle(method, func(json.RawMessage) (any, error) { return nil, errors.New("database is full") })
	}
	peers := awayPeers{}
	s := n.service("used-both-ways", peers)
	p := api.RecoverParams{Backup: api.Backup{Path: testdata.Corpus("used-both-ways", "backup.json")}, Decommissioned: true}
	p.Addresses = map[channel.PubKey]string{b.Channels[0].Peer: "192.0.2.1:9735"}
	if _, err := s.Recover(t.Context(), p, silent{}); failure.NameOf(err) != failure.Internal {
		t.Fatalf("got %v", err)
	}
	if n.Count("datastore") == 0 {
		t.Error("datastore was not called")
	}
}

// atRest waits until no call has come for a while: the engine has dealt with
// everything that the call left behind.
func (s *standIn) atRest() {
	s.t.Helper()
	for before := -1; before != len(s.Calls()); {
		before = len(s.Calls())
		time.Sleep(100 * time.Millisecond)
	}
}

// silent is a caller who is told nothing.
type silent struct{}

func (silent) Message(string)      {}
func (silent) Step(uint32, uint32) {}

// awayPeers are not there.
type awayPeers struct{}

func (awayPeers) Read(context.Context, peer.Target, ...channel.ID) (*peer.Reading, error) {
	return &peer.Reading{Result: peer.Unreachable}, nil
}

func (awayPeers) AskClose(context.Context, peer.Target, peer.Ask) (*peer.Outcome, error) {
	return &peer.Outcome{Result: peer.Unreachable}, nil
}

func readCorpus(t *testing.T, name string) *vlsstate.Backup {
	t.Helper()
	b, err := vlsstate.ReadFile(testdata.Corpus(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
