package rescue

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
)

// lightLedger is a chain as the light client has it: filters, and neither a mempool
// nor outputs nor estimates.
type lightLedger struct {
	chain.Source
	c    *chaintest.Chain
	back *chaintest.Backend

	mu sync.Mutex
	// lowest is the lowest block that was read, 0 for none.
	lowest uint32
}

var _ chain.Blind = (*lightLedger)(nil)

func newLightLedger(c *chaintest.Chain) *lightLedger {
	return &lightLedger{Source: chain.Join(c.Backend(), c.Node()), c: c, back: c.Backend()}
}

// Blind is true of it.
func (l *lightLedger) Blind() {}

func (l *lightLedger) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	l.mu.Lock()
	if l.lowest == 0 || height < l.lowest {
		l.lowest = height
	}
	l.mu.Unlock()
	return l.Source.Block(ctx, height)
}

func (l *lightLedger) Output(context.Context, wire.OutPoint) (*chain.UTXO, error) { return nil, nil }

func (l *lightLedger) Spenders(context.Context, []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	return nil, chain.ErrUnsupported
}

func (l *lightLedger) Sift(_ context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	return l.c.Sift(from, to, scripts), nil
}

func (l *lightLedger) Send(ctx context.Context, txs ...*wire.MsgTx) error {
	return chain.Send(ctx, l.back, nil, txs...)
}

func (l *lightLedger) EstimateFees(context.Context) (chain.Fees, error) { return chain.Fees{}, nil }

// TestACoinComesToTheAddressByBlocksAlone: nothing but blocks is seen, and the coin
// comes all the same, also where the call is ended and goes on.
func TestACoinComesToTheAddressByBlocksAlone(t *testing.T) {
	for name, params := range map[string]func(*story) api.RecoverParams{"backup": (*story).withBackup, "words": (*story).words} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.ledger = newLightLedger(s.chain)
			seen := map[string]bool{}
			for range 40 {
				end, err := s.call(params(s), func(e Event) bool {
					if e.Channel == nil || seen[string(e.Channel.State)] {
						return false
					}
					seen[string(e.Channel.State)] = true
					return true
				})
				if err != nil && !strings.Contains(err.Error(), "canceled") {
					t.Fatal(err)
				}
				if end != nil && end.Done {
					s.paid(end)
					return
				}
			}
			t.Fatal("it comes to no end")
		})
	}
}

// TestAnOpenChannelTakesNoOldBlocks: where only filters find old blocks and nobody knows
// the script, no close of a channel is looked for from before its peer spoke of it; and
// it makes no difference that the close takes its time.
func TestAnOpenChannelTakesNoOldBlocks(t *testing.T) {
	s := newStory(t)
	s.chain.MineN(2_000)
	tip := s.chain.Height()
	ledger := newLightLedger(s.chain)
	s.ledger, s.slow = ledger, true
	asked := time.Time{}
	end, err := s.call(s.words(), func(e Event) bool {
		switch {
		case e.Channel != nil && e.Channel.State == model.CloseRequested && asked.IsZero():
			asked = time.Now()
		case !asked.IsZero() && time.Since(asked) > time.Second:
			s.close()
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
	if ledger.lowest+100 < tip {
		t.Errorf("block %d was read, the tip was %d", ledger.lowest, tip)
	}
}
