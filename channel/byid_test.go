package channel

import (
	"testing"

	"github.com/btcsuite/btcd/wire"
)

func TestTheFundingOutputIsMadeFromTheChannelID(t *testing.T) {
	op := wire.OutPoint{Hash: [32]byte{0: 7, 30: 0xfe, 31: 0x01}}
	for _, index := range []uint32{0, 1, 255, 256, 65535} {
		op.Index = index
		id := V1ID(op)
		if got := V1Funding(id, index); got != op {
			t.Errorf("index %d: got %v, want %v", index, got, op)
		}
		k := Key{DBID: UnknownDBID(id)}
		if k.DBIDKnown() {
			t.Errorf("%d passes for a dbid of lightningd's", k.DBID)
		}
	}
	if UnknownDBID(ID{1}) == UnknownDBID(ID{2}) {
		t.Error("two channels share a dbid")
	}
	for dbid, known := range map[uint64]bool{0: false, 1: true, MaxDBID: true, MaxDBID + 1: false} {
		if (Key{DBID: dbid}).DBIDKnown() != known {
			t.Errorf("dbid %d: known is not %v", dbid, known)
		}
	}
}
