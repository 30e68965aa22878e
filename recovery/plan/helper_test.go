package plan_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// node is a fresh lightningd.
type node struct {
	info    api.Info
	list    []api.PeerChannel
	wallet  []api.WalletOutput
	records []api.Record
}

func (n *node) Info(context.Context) (api.Info, error)                  { return n.info, nil }
func (n *node) PeerChannels(context.Context) ([]api.PeerChannel, error) { return n.list, nil }
func (n *node) ClosedChannels(context.Context) ([]channel.ID, error)    { return nil, nil }
func (n *node) StaticBackup(context.Context) ([][]byte, error)          { return nil, nil }
func (n *node) Wallet(context.Context) ([]api.WalletOutput, error)      { return n.wallet, nil }

func (n *node) GossipNode(context.Context, channel.PubKey) (*api.GossipNode, error) {
	return nil, nil
}

func (n *node) Neighbours(context.Context, channel.PubKey) ([]channel.PubKey, error) {
	return nil, nil
}

func (n *node) GossipUpdate(context.Context, channel.PubKey) (time.Time, error) {
	return time.Time{}, nil
}

func (n *node) Records(context.Context, []string) ([]api.Record, error) { return n.records, nil }

// keys are those of a corpus case's secret.
type keys struct {
	secret *keychain.Secret
	words  bool
}

func (k *keys) of(c channel.Key) *keychain.ChannelKeys {
	out, err := k.secret.ChannelKeys(c.Peer, c.DBID)
	if err != nil {
		panic(err)
	}
	return out
}

func (k *keys) Basepoints(c channel.Key) (channel.Basepoints, error) {
	return k.of(c).Basepoints(), nil
}

func (k *keys) PerCommitmentPoint(c channel.Key, n uint64) (channel.PubKey, error) {
	return k.of(c).PerCommitmentPoint(n)
}

func (k *keys) PerCommitmentSecret(c channel.Key, n uint64) ([32]byte, error) {
	return k.of(c).PerCommitmentSecret(n)
}

func (k *keys) FundingScript(c *channel.Channel) ([]byte, error) {
	if c.Remote.Funding.IsZero() {
		return nil, errors.New("the peer's funding key is unknown")
	}
	return bolt3.FundingPkScript(k.of(c.Key).Basepoints().Funding, c.Remote.Funding)
}

func (k *keys) Prove(b *vlsstate.Backup) (*proof.Report, []string, error) {
	r, err := proof.Verify(b, k.secret)
	return r, nil, err
}

func (k *keys) OpenPeerStorage(blob []byte) ([]byte, error) { return k.secret.OpenPeerStorage(blob) }

func (k *keys) InWallet(script []byte) bool {
	w, err := k.secret.Wallet("regtest")
	if err != nil {
		panic(err)
	}
	for i := range uint32(200) {
		wpkh, taproot, err := w.Scripts(i)
		if err == nil && (bytes.Equal(wpkh, script) || bytes.Equal(taproot, script)) {
			return true
		}
	}
	return false
}

func (k *keys) Wallet() (find.Keys, bool, error) {
	w, err := k.secret.Wallet("regtest")
	return w, !k.words, err
}

// world is a fresh node with a corpus case's secret, and a chain in memory.
type world struct {
	t       *testing.T
	backup  *vlsstate.Backup
	keys    *keys
	node    *node
	chain   *chaintest.Chain
	bitcoin *chaintest.Node
	in      plan.Inputs
}

func newWorld(t *testing.T, name string) *world {
	t.Helper()
	b, err := vlsstate.ReadFile(testdata.Corpus(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keychain.Load(testdata.Corpus(name, "hsm_secret.hex"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, backup: b, keys: &keys{secret: secret},
		node:  &node{info: api.Info{ID: b.NodeID, Network: "regtest", Height: 400}},
		chain: chaintest.New("regtest", b.CreatedAt.Add(-100*24*time.Hour)),
	}
	w.chain.MineN(400)
	w.bitcoin = w.chain.Node()
	w.in = plan.Inputs{
		Backup: &backup.Loaded{Backup: b}, Node: w.node, Chain: chain.Join(w.chain.Backend(), w.bitcoin),
		Keys: w.keys, Now: b.CreatedAt.Add(30 * 24 * time.Hour),
	}
	return w
}

// fund puts the funding output of a channel on the chain; the channel gets the
// outpoint that could be mined.
func (w *world) fund(c *channel.Channel) {
	w.t.Helper()
	script, err := w.keys.FundingScript(c)
	if err != nil {
		w.t.Fatal(err)
	}
	tx, op := w.chain.Pay(int64(c.CapacitySat), script)
	w.chain.Mine(tx)
	c.Funding = op
}

// theirCommitment is the peer's current commitment, with a witness as BOLT 3 has
// it but for the signatures.
func (w *world) theirCommitment(c *channel.Channel) *bolt3.CommitTx {
	w.t.Helper()
	ours, _ := w.keys.Basepoints(c.Key)
	tx, err := bolt3.BuildCommitment(c, ours, c.State.CounterpartyCommit, c.State.NextCounterpartyCommitNum-1, *c.State.CounterpartyPoint)
	if err != nil {
		w.t.Fatal(err)
	}
	a, b := ours.Funding, c.Remote.Funding
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	script := append([]byte{0x52, 33}, a[:]...)
	script = append(append(script, 33), b[:]...)
	tx.Tx.TxIn[0].Witness = wire.TxWitness{nil, {1}, {1}, append(script, 0x52, 0xae)}
	return tx
}

func (w *world) plan() *plan.Plan {
	w.t.Helper()
	p, err := plan.Make(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// set is a scantxoutset over what a test says is there.
type set struct {
	outputs []chain.SetOutput
	asked   [][]chain.Descriptor
}

func (s *set) add(script []byte, sat uint64, height uint32) wire.OutPoint {
	op := wire.OutPoint{Index: uint32(len(s.outputs))}
	op.Hash[0] = 0xee
	s.outputs = append(s.outputs, chain.SetOutput{TxOut: chain.TxOut{ValueSat: sat, Script: script}, OutPoint: op, Height: height})
	return op
}

func (s *set) ScanTxOutSet(_ context.Context, want []chain.Descriptor, _ func(float64)) (*chain.SetScan, error) {
	s.asked = append(s.asked, want)
	return &chain.SetScan{Height: 400, Outputs: s.outputs}, nil
}

// silent is a caller who is told nothing.
type silent struct{}

func (silent) Message(string)      {}
func (silent) Step(uint32, uint32) {}

var _ api.Progress = silent{}

func hexBytes(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
