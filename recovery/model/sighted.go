package model

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

// SightedOf is a sighting for the record.
func SightedOf(x chain.Sighting) Sighted {
	out := Sighted{
		OutPoint: x.OutPoint.String(), Place: x.Place.String(), Input: x.Input, Height: x.Height, FirstSeen: x.FirstSeen,
		CreatedAt: x.CreatedAt, LookBack: x.LookBack,
	}
	if x.Created != chain.Unknown {
		out.Created = x.Created.String()
	}
	if x.Place == chain.InBlock {
		out.Block = x.Block.String()
	}
	if x.Tx != nil {
		if raw, err := chain.EncodeTx(x.Tx); err == nil {
			out.Raw = raw
		}
	}
	return out
}

// Sighting is what was recorded; it is nil for one that cannot be read: then the outpoint is new to the
// Watcher, which asks for everything again.
func (x *Sighted) Sighting() *chain.Sighting {
	op, err := wire.NewOutPointFromString(x.OutPoint)
	if err != nil {
		return nil
	}
	out := &chain.Sighting{
		OutPoint: *op, Place: placeOf(x.Place), Input: x.Input, Height: x.Height, FirstSeen: x.FirstSeen,
		Created: placeOf(x.Created), CreatedAt: x.CreatedAt, LookBack: x.LookBack,
	}
	if x.Raw != "" {
		if out.Tx, err = chain.DecodeTx(x.Raw); err != nil {
			return nil
		}
		out.TxID = out.Tx.TxHash()
	}
	if x.Block != "" {
		block, err := chainhash.NewHashFromStr(x.Block)
		if err != nil {
			return nil
		}
		out.Block = *block
	}
	if out.Tx == nil && (out.Place == chain.InBlock || out.Place == chain.InMempool) {
		return nil
	}
	return out
}

func placeOf(name string) chain.Place {
	for _, p := range []chain.Place{chain.Unspent, chain.InMempool, chain.InBlock} {
		if p.String() == name {
			return p
		}
	}
	return chain.Unknown
}
