package recovery

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/sweeptest"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// TestTheEngineClaimsEveryCell: each kind of close with each kind of payment in it,
// opened by either side, of each channel type, is on record as followed; the engine
// claims what BOLT 5 gives us, block by block, without a human act but for the
// preimages, and each transaction has run through the script engine. The fees are
// the only loss.
func TestTheEngineClaimsEveryCell(t *testing.T) {
	for _, typ := range sweeptest.Types {
		// All payments have one hash: where its preimage is known, it is for all.
		for name, htlcs := range map[string][]string{
			"known": {sweeptest.NoHTLC, sweeptest.SentHTLC, sweeptest.KnownHTLC}, "unknown": {sweeptest.UnknownHTLC},
		} {
			t.Run(typ.String()+"/"+name, func(t *testing.T) {
				m := newEngineMatrix(t, cellsOf(typ, htlcs), true)
				m.play()
				m.judge()
			})
		}
	}
}

type engineMatrix struct {
	*story
	purse *testWallet
	cells []*sweeptest.Cell
	// second are the cheating peers' HTLC transactions.
	second []*wire.MsgTx
}

func secretOf(t *testing.T, name string) *keychain.Secret {
	t.Helper()
	s, err := keychain.FromBytes(testdata.Secret(t, name)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cellsOf are the cells of a type with these payments.
func cellsOf(typ channel.Type, htlcs []string) func(a, b *keychain.Secret) []*sweeptest.Cell {
	return func(a, b *keychain.Secret) (cells []*sweeptest.Cell) {
		for _, opener := range []channel.Side{channel.Local, channel.Remote} {
			for _, closed := range sweeptest.Closes {
				if closed == sweeptest.TheirsNewerPoint {
					continue // the engine is not told that point
				}
				for _, htlc := range htlcs {
					if sweeptest.Exists(closed, htlc) {
						cells = append(cells, sweeptest.New(a, b, uint64(len(cells)+1), opener, closed, htlc, typ))
					}
				}
			}
		}
		return cells
	}
}

// newEngineMatrix puts the closes of cells into a block, and starts the engine on a
// record that follows them; coins says whether the wallet has some.
func newEngineMatrix(t *testing.T, cells func(a, b *keychain.Secret) []*sweeptest.Cell, coins bool) *engineMatrix {
	t.Helper()
	const us = "used-both-ways"
	w := newWorld(t, us, true)
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := &engineMatrix{story: &story{world: w, keys: keys}}
	m.purse = m.wallet()
	a, b := secretOf(t, us), secretOf(t, "inbound-used")
	m.cells = cells(a, b)
	for range m.cells {
		if coins {
			m.coin(m.purse, 40_000)
		}
	}
	run := &model.Run{
		NodeID: w.node.info.ID, Network: "regtest", BackupSHA256: "made here", BackupCreated: w.Now().AddDate(0, -1, 0),
		Restarted: true, Destination: "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry", Given: true, MaxFeePercent: 10,
	}
	save := model.Save{Run: run}
	held := &vlsstate.Backup{}
	var closes []*wire.MsgTx
	for _, c := range m.cells {
		script, err := bolt3.FundingPkScript(c.Ours.Basepoints().Funding, c.Theirs.Basepoints().Funding)
		if err != nil {
			t.Fatal(err)
		}
		tx, op := w.chain.Pay(sweeptest.CapacitySat, script)
		w.chain.Mine(tx)
		c.Channel.Funding = op
	}
	expiry := w.chain.Height() + sweeptest.ExpiresIn
	for _, c := range m.cells {
		c.State(a, expiry)
		closes = append(closes, c.Tx)
		if c.Closed == sweeptest.RevokedSecond {
			m.second = append(m.second, c.SecondStage()...)
		}
		held.Channels = append(held.Channels, c.Channel)
		if c.HTLC == sweeptest.KnownHTLC {
			held.Preimages = []vlsstate.Preimage{sweeptest.Preimage}
		}
		kept := *c.Channel
		kept.State.Secrets, kept.State.HolderSigs, kept.State.NextHolderSigs = nil, nil, nil
		save.Channels = append(save.Channels, model.Record{
			Channel: kept, State: model.OutputsWaiting, Since: w.Now(), WatchFrom: w.chain.Height(),
		})
	}
	w.save(save)
	w.chain.Mine(closes...)
	w.start()
	w.maker.Take(&backup.Loaded{Backup: held, SHA256: run.BackupSHA256})
	return m
}

// play mines block by block, each when everything that is due has been sent.
func (m *engineMatrix) play() {
	m.t.Helper()
	done := func() bool {
		st := m.seen.Load()
		if st.Tip.Height != m.chain.Height() {
			return false
		}
		for _, c := range st.Channels {
			for _, b := range spend.CouldSweep(st, c, false) {
				if c.Troubles[b.OutPoints[0]].Text == "" {
					return false
				}
			}
		}
		return true
	}
	for block := range sweeptest.ExpiresIn + 2*sweeptest.TheirDelay {
		for range 2 {
			m.until(fmt.Sprintf("all that is due at block %d", block), func() bool { m.look(); return done() })
			m.lookTwice()
		}
		if block == 1 {
			for _, tx := range m.second {
				m.chain.AddMempool(tx)
			}
		}
		m.chain.MineMempool()
		m.BlockAdded()
	}
	m.until("the last block", done)
	m.lookTwice()
}

func (m *engineMatrix) judge() {
	m.t.Helper()
	st := m.seen.Load()
	for _, cell := range m.cells {
		c := st.Channels[cell.Channel.Key]
		want, needs := cell.Want()
		got := c.RecoveredMsat / 1000
		if got > want || got*100 < want*90 {
			m.t.Errorf("%s: %d of %d sat: %s; lacks %q, troubles %v; %+v", cell.Name(), got, want, c.State, c.Lacks, c.Troubles, c.Settled)
		}
		if needs[sweep.NeedPreimage] > 0 && c.State != model.OutputsWaiting && c.State != model.Credited {
			m.t.Errorf("%s: %s without the preimage", cell.Name(), c.State)
		}
	}
}

// TestAnEmptyWalletIsToldWhatCoinAnHTLCTransactionNeeds: the one that the peer signed
// pays no fee. The coin is reserved when it comes, and free again when somebody else
// has taken the output for good.
func TestAnEmptyWalletIsToldWhatCoinAnHTLCTransactionNeeds(t *testing.T) {
	m := newEngineMatrix(t, func(a, b *keychain.Secret) []*sweeptest.Cell {
		return []*sweeptest.Cell{sweeptest.New(a, b, 1, channel.Local, sweeptest.OursCurrent, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)}
	}, false)
	cell := m.cells[0]
	sent := wire.OutPoint{Hash: cell.Tx.TxHash(), Index: uint32(cell.Built.HTLCVouts()[0])}
	m.quiet(sweeptest.ExpiresIn)
	m.until("the missing coin to be named", func() bool {
		m.look()
		c := m.status().Channels[0]
		return c.WaitsFor == "fee" && strings.Contains(c.Todo, walletAddress)
	})
	coin := m.coin(m.purse, 60_000)
	tx := m.untilSwept(sent)
	if len(tx.TxIn) != 2 || tx.TxIn[1].PreviousOutPoint != coin || !m.purse.isReserved(coin) {
		t.Errorf("the HTLC transaction spends %v; the coin %s reserved: %t", tx.TxIn, coin, m.purse.isReserved(coin))
	}
	theirs := chaintest.SpendTo(59_000, []byte{0x51}, sent)
	m.chain.DropMempool()
	m.chain.Mine(theirs)
	m.quiet(5)
	m.until("the coin to be free again", func() bool { m.look(); return !m.purse.isReserved(coin) })
	m.until("the output to be lost", func() bool {
		return strings.Contains(m.status().Channels[0].Reason, theirs.TxHash().String())
	})
}

// TestAFullMempoolIsSaidAndTheSweepIsSentAgain with each block.
func TestAFullMempoolIsSaidAndTheSweepIsSentAgain(t *testing.T) {
	s := newStory(t, "used-both-ways")
	var full atomic.Bool
	full.Store(true)
	b := s.chain.Backend()
	b.Refuse = func(*wire.MsgTx) string {
		if full.Load() {
			return "mempool min fee not met"
		}
		return ""
	}
	s.deps.Backend = b
	s.start()
	commit := s.theirCommitment()
	s.closedBefore(commit.Tx)
	s.begin()
	s.until("the refusal", func() bool {
		s.look()
		return strings.Contains(s.status().Channels[0].Reason, "was not accepted: ") && s.state() == model.OutputsWaiting
	})
	full.Store(false)
	s.quiet(1)
	s.untilSwept(output(commit, bolt3.ToRemoteOutput))
	s.until("the refusal to be forgotten", func() bool { return !strings.Contains(s.status().Channels[0].Reason, "not accepted") })
}
