package recovery

import (
	"context"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/tell"
)

// SweepAnswer is what glrecover-sweep says.
type SweepAnswer struct {
	DryRun bool `json:"dry_run"`
	// Destination gets what is claimed, "" before it is known: then it is a new
	// address of the wallet.
	Destination string `json:"destination,omitempty"`
	tell.Sweeps
	Notes []string `json:"notes"`
}

// Sweep lists what is claimed and how. A dry run also makes the transactions that
// could be sent now; without, what was in vain is tried at once.
func (s *Service) Sweep(ctx context.Context, p api.SweepParams) (any, error) {
	st := s.seen.Load()
	keys, err := tell.Select(st, p.Channel)
	if err != nil {
		return nil, err
	}
	if s.Sweeps == nil {
		return nil, failure.New(failure.Internal, "", "nothing is claimed here")
	}
	a := &SweepAnswer{
		DryRun: p.DryRun, Notes: []string{},
		Sweeps: tell.Sweeps{Outputs: []tell.SweepOutput{}, Transactions: []tell.SweepTx{}},
	}
	if st.Run != nil {
		a.Destination = st.Run.Destination
	}
	if !p.DryRun {
		for _, preimage := range p.Preimages {
			s.send(model.PreimagesKnown{Count: s.maker.Give(preimage)})
		}
		s.send(model.SweepSaid{Keys: keys})
		s.view.Poke()
		a.Notes = append(a.Notes, "what is due is being made and sent; glrecover-sweep and glrecover-status show it in a moment")
	}
	for _, k := range keys {
		a.Add(st.Channels[k])
		if p.DryRun {
			s.couldSweep(ctx, st, st.Channels[k], p.Preimages, a)
		}
	}
	return a, nil
}

// couldSweep makes the transactions of a channel that could be sent now, and sends
// none.
func (s *Service) couldSweep(ctx context.Context, st *state.State, c *state.Channel, given []api.Preimage, a *SweepAnswer) {
	keys, _, release, err := s.keyring.Use()
	defer release()
	if err != nil {
		a.Notes = append(a.Notes, err.Error())
		return
	}
	for _, f := range spend.CouldSweep(st, c, len(given) > 0) {
		made, err := s.maker.Make(ctx, f, st.Run, keys, given...)
		if err == nil {
			var tx tell.SweepTx
			if tx, err = tell.Made(c, made); err == nil {
				a.Transactions = append(a.Transactions, tx)
			}
			// Also for a caller who is gone: a claim may need the coins in the next block.
			s.maker.Release(context.WithoutCancel(ctx), model.Release{Key: c.Channel.Key, Coins: made.WalletInputs})
		}
		if err != nil {
			a.Notes = append(a.Notes, err.Error())
		}
	}
}
