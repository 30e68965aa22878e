package offline_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/offline"
	"github.com/glrecover/glrecover/sweep/seedkeys"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func backupOf(t *testing.T, name string) (*offline.Backup, *keychain.Secret) {
	t.Helper()
	b := must(vlsstate.Read(bytes.NewReader(testdata.Read(t, name, "backup.json"))))
	secret := must(keychain.FromBytes(testdata.Secret(t, name)).Secret(nil))
	return &offline.Backup{Channels: b.Channels, Keys: seedkeys.New(secret, b.Network), Preimages: sweep.NewPreimages()}, secret
}

// revokedClose is the peer's revoked commitment n with the HTLCs of the snapshot,
// and its HTLC transactions.
func revokedClose(t *testing.T, b *offline.Backup, n uint64) (closing *bolt3.CommitTx, second []*wire.MsgTx) {
	t.Helper()
	ch := b.Channels[0]
	secret, ok := bolt3.SecretAt(ch.State.Secrets, n)
	if !ok {
		t.Fatal("no secret")
	}
	closing = must(bolt3.BuildCommitment(ch, must(b.Keys.Public(ch.Key)).Ours, ch.State.CounterpartyCommit, n, bolt3.PointOf(secret)))
	for _, vout := range closing.HTLCVouts() {
		second = append(second, must(closing.HTLCTx(vout)).Tx)
	}
	return closing, second
}

func TestTransactionsInHandAreFollowed(t *testing.T) {
	b, _ := backupOf(t, "htlc-in-flight")
	closing, second := revokedClose(t, b, 2)
	// The penalty on the first HTLC transaction is in a block already.
	taken := wire.NewMsgTx(2)
	taken.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: second[0].TxHash()}, nil, nil))
	taken.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	stranger := wire.NewMsgTx(2)
	stranger.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 3}, nil, nil))

	// In any order.
	closes, unused, err := b.Transactions([]*wire.MsgTx{taken, second[1], stranger, closing.Tx, second[0]}, 400)
	if err != nil || len(closes) != 1 || len(unused) != 1 || unused[0] != stranger.TxHash() {
		t.Fatalf("%d closes, unused %v, %v", len(closes), unused, err)
	}
	c := closes[0]
	if c.Found.Kind != onchain.TheirsRevoked || c.Height != 400 || len(second) != 3 {
		t.Fatalf("%+v", c)
	}
	got := map[onchain.Role]int{}
	for _, claim := range c.Claims {
		got[claim.Output.Role]++
	}
	if got[onchain.HTLCTransaction] != 1 || got[onchain.OfferedHTLC]+got[onchain.ReceivedHTLC] != 1 || got[onchain.ToLocal] != 1 || got[onchain.ToRemote] != 1 {
		t.Errorf("%v", got)
	}
	order := sweep.Order{Destination: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network: &chaincfg.RegressionNetParams, FeeratePerKW: 500, Height: 400}
	for height, want := range map[uint32]int{0: 4, 400: 4, 399: 3} {
		order.Height = height
		built := b.Build(t.Context(), closes, order)
		if len(built) != want {
			t.Errorf("at %d: %d transactions, want %d", height, len(built), want)
		}
		for _, x := range built {
			if x.Err != nil {
				t.Errorf("at %d: %v", height, x.Err)
			}
		}
	}
}

// A preimage that one channel's close shows claims the HTLC of another: a
// payment that was forwarded.
func TestAPreimageOfOneCloseServesAnother(t *testing.T) {
	b, _ := backupOf(t, "htlc-in-flight")
	ch := *b.Channels[0]
	preimage := [32]byte{7, 7, 7}
	commit := *ch.State.CounterpartyCommit
	commit.Offered = append(commit.Offered[:0:0], commit.Offered...)
	commit.Offered[0].PaymentHash = sha256.Sum256(preimage[:])
	ch.State.CounterpartyCommit = &commit
	other := ch
	other.DBID, other.Funding.Index = ch.DBID+1, ch.Funding.Index+1
	b.Channels[0] = &ch
	b.Channels = append(b.Channels, &other)

	first := must(bolt3.BuildCommitment(&ch, must(b.Keys.Public(ch.Key)).Ours, &commit, ch.State.NextCounterpartyCommitNum-1, *ch.State.CounterpartyPoint))
	second := must(bolt3.BuildCommitment(&other, must(b.Keys.Public(other.Key)).Ours, &commit, ch.State.NextCounterpartyCommitNum-1, *ch.State.CounterpartyPoint))
	shows := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{Hash: second.Tx.TxHash(), Index: uint32(second.HTLCVouts()[0])}, nil, nil)
	in.Witness = wire.TxWitness{make([]byte, 71), preimage[:], {0x51}}
	shows.AddTxIn(in)
	shows.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	for _, tt := range []struct {
		txs  []*wire.MsgTx
		want int
	}{{[]*wire.MsgTx{first.Tx, second.Tx}, 2}, {[]*wire.MsgTx{first.Tx, second.Tx, shows}, 0}} {
		closes, _, err := b.Transactions(tt.txs, 400)
		if err != nil || len(closes) != 2 {
			t.Fatalf("%d closes, %v", len(closes), err)
		}
		lacking := 0
		for _, c := range closes {
			for _, claim := range c.Claims {
				if claim.Needs == sweep.NeedPreimage {
					lacking++
				}
			}
		}
		if lacking != tt.want {
			t.Errorf("%d claims lack a preimage, want %d", lacking, tt.want)
		}
	}
}

// Of two closes of one channel only one can be in a block, and nothing here says which.
func TestTwoClosesOfOneChannelAreRefused(t *testing.T) {
	b, _ := backupOf(t, "htlc-in-flight")
	closing, _ := revokedClose(t, b, 2)
	other, _ := revokedClose(t, b, 1)
	if _, _, err := b.Transactions([]*wire.MsgTx{other.Tx, closing.Tx}, 400); err == nil {
		t.Error("the first is taken for the close")
	}
	if _, unused, err := b.Transactions([]*wire.MsgTx{closing.Tx, closing.Tx}, 400); err != nil || len(unused) > 0 {
		t.Errorf("the same twice: %v, %v", unused, err)
	}
}
