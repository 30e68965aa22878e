package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	h "github.com/glrecover/glrecover/integration/harness"
)

// The whole story with what Go alone can fetch: a real btcd and a real lnd, and
// nodes of ours that lnd opens a channel to and pushes sats. Nothing passes from the
// node that is lost but its words, and a backup where there is one.
func TestLostNodeOnAMachineWithGoAlone(t *testing.T) {
	t.Parallel()
	h.Need(t, h.BtcdD, h.LND)
	n := h.NewOnBtcd(t)
	lnd := n.LND("lnd")
	t.Run("with the backup", func(t *testing.T) {
		s := n.LoseFundee(lnd, 7)
		wantRun(t, "inspect", n.Command("", "inspect", s.Backup.Path), 0, "300,000")
		wantRun(t, "verify", n.Command("", "verify", "--hsm-secret", s.Words, s.Backup.Path), 0,
			"your keys are proven", "our commitment 0 carries the peer's signature")
		other := n.WriteFile("otherwords", []byte(h.NewWords(t)))
		wantRun(t, "verify with other words", n.Command("", "verify", "--hsm-secret", other, s.Backup.Path), 1, "")
		wantRun(t, "check", n.Command("", "check", "--hsm-secret", s.Words, s.Backup.Path), 0, "")
		wantRun(t, "rescue without a statement", n.Command("", append([]string{"rescue", s.Backup.Path}, s.Rescue()...)...), 1, "not_decommissioned")
		wantRun(t, "a dry run", n.Command("", append([]string{"rescue", "--dry-run", s.Backup.Path}, s.Rescue()...)...), 0, "its peer will be asked to close")
		cameBack(t, n, s, append(s.Rescue(), "--decommissioned", s.Backup.Path))
	})
	t.Run("from the words alone", func(t *testing.T) {
		s := n.LoseFundee(lnd, 3)
		out := cameBack(t, n, s, append(s.Rescue(), "--decommissioned", "--peer", lnd.ID+"@"+lnd.Address()))
		// lnd keeps nobody's copy: the channel is known by its id alone.
		if !strings.Contains(out, "known from channel_reestablish") {
			t.Errorf("the channel is not known from what its peer says:\n%s", out)
		}
	})
	t.Run("from the words alone, with the light client", func(t *testing.T) {
		s := n.LoseFundee(lnd, 1)
		cameBack(t, n, s, append(s.RescueLight(), "--decommissioned", "--peer", lnd.ID+"@"+lnd.Address()))
	})
}

// cameBack runs the rescue while the chain goes on, and demands what was lost at the
// address, less the sweep's own fee.
func cameBack(t *testing.T, n *h.Net, s *h.Lost, args []string) (out string) {
	t.Helper()
	out, code := n.Rescue(s, args...)
	if code != 0 {
		t.Fatalf("rescue: exit code %d\n%s", code, out)
	}
	const fee = 2_000 // sat, at the most, at 5 sat/vB
	if got := n.Btcd.PaidTo(s.Address, s.From); got > s.Sat || got+fee < s.Sat {
		t.Errorf("%d sat came back of %d\n%s", got, s.Sat, out)
	}
	return out
}

// The product's client of bitcoind takes btcd's answers too.
func TestBtcdInBitcoindsPlace(t *testing.T) {
	t.Parallel()
	h.Need(t, h.BtcdD)
	n := h.NewOnBtcd(t)
	b, err := chain.NewBitcoind(chain.Options{
		Network: "regtest", Connect: strings.Replace(n.Btcd.URL(), n.Btcd.User+":"+n.Btcd.Password+"@", "", 1),
		User: n.Btcd.User, Password: n.Btcd.Password, Cert: n.Btcd.Cert, DataDir: n.Dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	tip := uint32(n.Btcd.Height())
	if i, err := b.BlockchainInfo(ctx); err != nil || i.Blocks != tip || i.Network() != "regtest" || i.BestBlock == (chainhash.Hash{}) {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := b.BlockHash(ctx, tip+1); !errors.Is(err, chain.ErrNoBlock) {
		t.Errorf("above the tip: %v", err)
	}
	block, err := b.Block(ctx, tip)
	if err != nil {
		t.Fatal(err)
	}
	if header, err := b.HeaderAt(ctx, tip); err != nil || header.BlockHash() != block.Hash {
		t.Errorf("header: %v", err)
	}

	sent := n.Btcd.Send(n.Btcd.NewAddress(), 1_000_000)
	id, err := chainhash.NewHashFromStr(sent)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := b.Transaction(ctx, *id, nil)
	if err != nil || tx == nil || tx.Tx.TxHash() != *id {
		t.Fatalf("in the mempool: %+v, %v", tx, err)
	}
	coin := tx.Tx.TxIn[0].PreviousOutPoint
	if by, err := b.Spenders(ctx, []wire.OutPoint{coin}); err != nil || by[coin] != *id {
		t.Errorf("spenders: %v, %v", by, err)
	}
	if err := b.SendRaw(ctx, tx.Tx, false); err != nil {
		t.Errorf("sent twice: %v", err)
	}
	bad := tx.Tx.Copy()
	bad.TxOut[0].Value--
	var refused *chain.RejectedError
	if err := b.SendRaw(ctx, bad, false); !errors.As(err, &refused) {
		t.Errorf("with a signature on something else: %v", err)
	}
	out := wire.OutPoint{Hash: *id}
	if u, err := b.TxOut(ctx, out, true); err != nil || u == nil || u.ValueSat != 1_000_000 || u.Confirmations != 0 {
		t.Errorf("unconfirmed: %+v, %v", u, err)
	}
	n.Btcd.Mine(1)
	if u, err := b.TxOut(ctx, out, false); err != nil || u == nil || u.Confirmations != 1 {
		t.Errorf("confirmed: %+v, %v", u, err)
	}
	if u, err := b.TxOut(ctx, coin, true); err != nil || u != nil {
		t.Errorf("spent: %+v, %v", u, err)
	}
	if err := b.SendRaw(ctx, tx.Tx, false); err != nil && !errors.As(err, &refused) {
		t.Errorf("sent when confirmed: %v", err)
	}
	if fees, err := b.EstimateFees(ctx); err != nil || len(fees.Estimates) != 0 {
		t.Errorf("fees: %+v, %v", fees, err)
	}
	if err := b.SubmitPackage(ctx, tx.Tx, tx.Tx); !errors.Is(err, chain.ErrUnsupported) {
		t.Errorf("package: %v", err)
	}
}
