package scbconv

import (
	"fmt"
	"math"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/cores"
	"github.com/glrecover/glrecover/failure"
)

// Feature bits that can be in the type of a channel of CLN's.
const (
	bitStaticRemoteKey = 12
	bitAnchors         = 20
	bitZeroFeeAnchors  = 22
	bitSCIDAlias       = 46
	bitZeroConf        = 50
)

// Batch checks that the entries can be given to recoverchannel together, and
// returns one error per entry, nil for a good one. lightningd itself checks
// almost nothing: a dbid of 0 or a point off the curve aborts it, a larger dbid
// is cut off, and of two entries with one dbid the second is dropped without a
// word. Where two entries share a dbid or a funding output, both get an error:
// which one is real is not ours to guess.
//
// The errors match ErrEntry, or are a *failure.Error named dbid_conflict.
func Batch(entries []*Entry) []error {
	errs := make([]error, len(entries))
	cores.Do(len(entries), func(i int) { errs[i] = entries[i].importable() })
	byDBID := make(map[uint64]int, len(entries))
	byFunding := make(map[wire.OutPoint]int, len(entries))
	for i, e := range entries {
		if first, seen := byDBID[e.DBID]; seen {
			setError(errs, first, sameDBID(entries[first], e))
			setError(errs, i, sameDBID(e, entries[first]))
		} else {
			byDBID[e.DBID] = i
		}
		if first, seen := byFunding[e.Funding]; seen {
			setError(errs, first, fieldError("funding", "dbid %d has the same output", e.DBID))
			setError(errs, i, fieldError("funding", "dbid %d has the same output", entries[first].DBID))
		} else {
			byFunding[e.Funding] = i
		}
	}
	return errs
}

// setError keeps an error that is there already.
func setError(errs []error, i int, err error) {
	if errs[i] == nil {
		errs[i] = err
	}
}

func sameDBID(e, other *Entry) error {
	return failure.New(failure.DBIDConflict,
		"Only one of them can be real: ask the peers, and import that one alone",
		"the channels %s and %s both have dbid %d", e.ChannelID, other.ChannelID, e.DBID)
}

// importable is what recoverchannel needs beyond a well-formed entry.
func (e *Entry) importable() error {
	if err := e.check(); err != nil {
		return err
	}
	switch {
	case e.DBID == 0 || e.DBID > channel.MaxDBID:
		return fieldError("dbid", "%d is not from 1 to %d", e.DBID, uint64(channel.MaxDBID))
	case e.Funding.Hash == chainhash.Hash{}:
		return fieldError("funding", "the transaction id is all zeros")
	case e.Funding.Index > math.MaxUint16:
		return fieldError("funding", "output %d is above %d", e.Funding.Index, math.MaxUint16)
	case e.FundingSat == 0 || e.FundingSat > btcutil.MaxSatoshi:
		return fieldError("funding_sats", "not an amount that can be on chain")
	case e.TLVs == nil || e.TLVs.Basepoints == nil:
		return fieldError("basepoints", "missing, and lightningd would mistake our own for the peer's")
	case e.TLVs.Opener == nil:
		return fieldError("opener", "missing")
	case e.TLVs.Delay == nil:
		return fieldError("remote_to_self_delay", "missing")
	}
	if err := importableType(e.ChannelType); err != nil {
		return fieldError("channel_type", "%s", err)
	}
	return nil
}

// importableType accepts static_remotekey with at most one kind of anchors and
// the two variants that change nothing on chain.
func importableType(t []byte) error {
	bits := featureBits(t)
	if !bits[bitStaticRemoteKey] {
		return ErrChannelType
	}
	for bit := range bits {
		switch bit {
		case bitStaticRemoteKey, bitAnchors, bitZeroFeeAnchors, bitSCIDAlias, bitZeroConf:
		default:
			return fmt.Errorf("feature bit %d is not known to change nothing", bit)
		}
	}
	return nil
}

// featureBits are the bits of a channel type.
func featureBits(t []byte) map[int]bool {
	bits := make(map[int]bool)
	for i, b := range t {
		for j := range 8 {
			if b&(1<<j) != 0 {
				bits[8*(len(t)-1-i)+j] = true
			}
		}
	}
	return bits
}
