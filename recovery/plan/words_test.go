package plan_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/vlsstate"
)

// counting counts the look-ups of outputs.
type counting struct {
	chain.Source
	outputs int
	// there says that every output is on the chain.
	there bool
}

func (c *counting) Output(ctx context.Context, op wire.OutPoint) (*chain.UTXO, error) {
	c.outputs++
	if c.there {
		return &chain.UTXO{TxOut: chain.TxOut{ValueSat: 1}, Confirmations: 100}, nil
	}
	return c.Source.Output(ctx, op)
}

// TestAPeerIsNotBelievedWithoutEnd: it can invent channels by the thousand, or name
// those of others. What is taken of it is bounded, and so is what is asked of the chain;
// the plan says how many are left out. With a secret of ours that it shows it is
// believed however many there were before.
func TestAPeerIsNotBelievedWithoutEnd(t *testing.T) {
	for _, x := range []struct {
		name  string
		there bool
		most  int
	}{{"invented", false, 100}, {"others' channels", true, 500}} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, "used-both-ways")
			count := &counting{Source: w.in.Chain, there: x.there}
			w.in.Chain, w.in.Words, w.in.Alone, w.in.Extra = count, true, true, true
			real := w.backup.Channels[0]
			w.in.Backup = &backup.Loaded{Backup: &vlsstate.Backup{NodeID: w.backup.NodeID}}
			const said = 2_000
			h := backup.Heard{Peer: real.Peer, Said: &peer.Reading{Result: peer.Read}, At: w.in.Now}
			for i := range said {
				r := peer.Reestablish{NextCommitment: 1, DataLossProtection: true}
				binary.BigEndian.PutUint32(r.Channel[:], uint32(i+1))
				h.Said.Channels = append(h.Said.Channels, r)
			}
			secret, err := w.keys.PerCommitmentSecret(channel.Key{Peer: real.Peer, DBID: 77}, 2)
			if err != nil {
				t.Fatal(err)
			}
			h.Said.Channels = append(h.Said.Channels, peer.Reestablish{
				Channel: channel.ID{9, 9}, NextCommitment: 4, NextRevocation: 3, DataLossProtection: true, YourLastSecret: secret,
			})
			w.in.Heard = []backup.Heard{h}
			p := w.plan()
			if len(p.Extra) != x.most+1 || p.Extra[x.most].Channel.DBID != 77 {
				t.Errorf("%d channels are taken", len(p.Extra))
			}
			left := fmt.Sprintf("%d of them are left out", said-x.most)
			if !slices.ContainsFunc(p.Warnings, func(s string) bool { return strings.Contains(s, left) }) {
				t.Errorf("it is not said: %q", p.Warnings)
			}
			// One for each candidate of an output, and one more for each channel.
			if count.outputs > (x.most+1)*17 {
				t.Errorf("%d outputs were asked for", count.outputs)
			}
		})
	}
}

// filtered is a chain as the light client has it: filters, and no outputs. It counts the
// blocks that are read.
type filtered struct {
	chain.Source
	c    *chaintest.Chain
	read map[uint32]bool
}

func (f *filtered) Output(context.Context, wire.OutPoint) (*chain.UTXO, error) { return nil, nil }

func (f *filtered) Sift(_ context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	return f.c.Sift(from, to, scripts), nil
}

func (f *filtered) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	f.read[height] = true
	return f.Source.Block(ctx, height)
}

// TestAnOldCloseOfAChannelThatOnlyACopyHasIsFoundByFilters: nobody speaks of the channel
// any more, and its funding script is unknown; what the close pays to us is not.
func TestAnOldCloseOfAChannelThatOnlyACopyHasIsFoundByFilters(t *testing.T) {
	w, last := lacking(t)
	close := w.theirCommitment(last)
	w.chain.Mine(close.Tx)
	height := w.chain.Height()
	w.chain.MineN(700) // more than a plan reads
	f := &filtered{w.in.Chain, w.chain, map[uint32]bool{}}
	w.in.Chain, w.in.Words, w.in.Alone, w.in.Extra = f, true, true, true
	w.in.Since = w.in.Now.Add(-200 * 24 * time.Hour)
	w.in.Copies = []backup.Copy{{Source: backup.FromPeer, Peer: last.Peer, Blob: storedCopy(t)}}
	w.in.Backup = &backup.Loaded{Backup: &vlsstate.Backup{NodeID: w.backup.NodeID}}
	p := w.plan()
	i := slices.IndexFunc(p.Extra, func(c *plan.Channel) bool { return c.ChannelID == last.ID().String() })
	if i < 0 {
		t.Fatal("the copy's channel is not in the plan")
	}
	c := p.Extra[i]
	if c.Decision != decision.FollowClosed || c.Close == nil || c.Evidence.Spend == nil || c.Evidence.Spend.Height != height {
		t.Errorf("%s: %s, %+v", c.Decision, c.Reason, c.Evidence)
	}
	if !f.read[height] || f.read[height-1] || f.read[height+1] {
		t.Errorf("other blocks than %d were read", height)
	}
}
