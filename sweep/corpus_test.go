package sweep

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

type vector struct {
	Case          string            `json:"case"`
	DBID          uint64            `json:"dbid"`
	PeerID        string            `json:"peer_id"`
	CapacitySat   uint64            `json:"channel_value_sat"`
	Type          string            `json:"commitment_type"`
	FundingTxid   string            `json:"funding_txid"`
	FundingVout   uint32            `json:"funding_vout"`
	FundingScript string            `json:"funding_script"`
	OurKeys       map[string]string `json:"our_keys"`
	Counterparty  *struct {
		Tx         string            `json:"tx"`
		FeeSat     uint64            `json:"fee_sat"`
		ToRemote   *int              `json:"to_remote_vout"`
		HTLCs      []json.RawMessage `json:"htlcs"`
		Commitment uint64            `json:"commitment_number"`
	} `json:"counterparty"`
}

func (v *vector) channel(t *testing.T) *channel.Channel {
	t.Helper()
	txid, err := chainhash.NewHashFromStr(v.FundingTxid)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := channel.ParsePubKey(v.PeerID)
	if err != nil {
		t.Fatal(err)
	}
	ch := &channel.Channel{
		Key: channel.Key{Peer: peer, DBID: v.DBID}, Funding: wire.OutPoint{Hash: *txid, Index: v.FundingVout},
		CapacitySat: v.CapacitySat,
	}
	switch v.Type {
	case channel.StaticRemoteKey.String():
		ch.Type = channel.StaticRemoteKey
	case channel.AnchorsZeroFeeHTLC.String():
		ch.Type = channel.AnchorsZeroFeeHTLC
	default:
		t.Fatalf("type %s", v.Type)
	}
	// 52 21 <key> 21 <key> 52 ae: the peer's is the one that is not ours.
	for _, k := range []string{v.FundingScript[4:70], v.FundingScript[72:138]} {
		if k != v.OurKeys["funding"] {
			if ch.Remote.Funding, err = channel.ParsePubKey(k); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ch
}

// The peer's commitments of the corpus carry no signatures of the peer, so the
// parent is not checked here (BuildChild would refuse it); what the child
// spends and pays is.
func TestOurAnchorOnEveryCommitmentOfTheCorpusIsFoundAndSpent(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus, "vectors", "*.json"))
	if err != nil || len(paths) != 25 {
		t.Fatalf("%d vectors, %v", len(paths), err)
	}
	spent, plain := 0, 0
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			if v.Counterparty == nil {
				t.Skip("no counterparty commitment in this vector")
			}
			name, _, _ := strings.Cut(v.Case, ".")
			ch := v.channel(t)
			keys := channelKeys(t, secretOf(t, name), ch.Peer, ch.DBID)
			raw, err = hex.DecodeString(v.Counterparty.Tx)
			if err != nil {
				t.Fatal(err)
			}
			var parent wire.MsgTx
			if err := parent.Deserialize(bytes.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
			s := &stuck{ch: ch, ours: keys, parent: &parent, fundingSat: ch.CapacitySat}
			wanted := ch.Type.HasAnchors() && (v.Counterparty.ToRemote != nil || len(v.Counterparty.HTLCs) > 0)
			vout, ok := FindAnchor(&parent, ch, keys.Basepoints().Funding)
			if ok != wanted {
				t.Fatalf("anchor found: %v, want %v", ok, wanted)
			}
			if !ok {
				plain++
				return
			}
			if theirs, ok := FindAnchor(&parent, ch, ch.Remote.Funding); ok && theirs == vout {
				t.Error("the peer's anchor is taken for ours")
			}
			w := newWallet(t)
			w.add(40_000, w.p2wpkh())
			// 222 weight units are the witness of two signatures of 72 bytes.
			paid := Paid{FeeSat: v.Counterparty.FeeSat, VSize: VSize(weightOf(&parent) + 2 + 222)}
			b := &builder{wallet: w, r: s.request(6_000, 60_000), parent: paid, anchor: wire.OutPoint{Hash: parent.TxHash(), Index: vout}}
			c, err := b.build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Package.FeeratePerKW(); got < 6_000 || got > 6_060 {
				t.Errorf("the package pays %d sat/kw", got)
			}
			spent++
		})
	}
	if spent < 15 || plain < 2 {
		t.Errorf("only %d anchors were spent, %d commitments had none", spent, plain)
	}
}
