package proof

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/channel"
)

type commitmentVector struct {
	Number          uint64 `json:"commitment_number"`
	Tx              string `json:"tx"`
	TxID            string `json:"txid"`
	Point           string `json:"per_commitment_point"`
	ToLocalScript   string `json:"to_local_script"`
	ToLocalVout     *int   `json:"to_local_vout"`
	ToRemoteScript  string `json:"to_remote_script"`
	ToRemoteOutput  string `json:"to_remote_scriptpubkey"`
	ToRemoteVout    *int   `json:"to_remote_vout"`
	CounterpartySig string `json:"counterparty_sig"`
	FeeratePerKW    uint32 `json:"feerate_per_kw"`
	HTLCs           []struct {
		Vout            int    `json:"vout"`
		Direction       string `json:"direction"`
		Script          string `json:"script"`
		CLTVExpiry      uint32 `json:"cltv_expiry"`
		HTLCTx          string `json:"htlc_tx"`
		CounterpartySig string `json:"counterparty_sig"`
	} `json:"htlcs"`
}

type channelVector struct {
	Case          string            `json:"case"`
	DBID          uint64            `json:"dbid"`
	Holder        *commitmentVector `json:"holder"`
	Counterparty  *commitmentVector `json:"counterparty"`
	Previous      *commitmentVector `json:"counterparty_previous"`
	FundingScript string            `json:"funding_script"`
}

// The vectors were made by an independent program and accepted only where the
// counterparty's stored signatures verified.
func TestEveryCommitmentOfTheCorpusIsRebuiltToTheByte(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus, "vectors", "*.json"))
	if err != nil || len(paths) != 25 {
		t.Fatalf("%d vectors, %v", len(paths), err)
	}
	rebuilt := 0
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var v channelVector
			readJSON(t, path, &v)
			name, file, ok := strings.Cut(v.Case, ".")
			if !ok {
				file = "backup"
			}
			b := load(t, name, file+".json")
			var ch *channel.Channel
			for _, c := range b.Channels {
				if c.DBID == v.DBID {
					ch = c
				}
			}
			if ch == nil {
				t.Fatal("no such channel")
			}
			keys, err := secretOf(t, name).ChannelKeys(ch.Peer, ch.DBID)
			if err != nil {
				t.Fatal(err)
			}
			ours := keys.Basepoints()
			if script, err := bolt3.FundingScript(ours.Funding, ch.Remote.Funding); err != nil || hex.EncodeToString(script) != v.FundingScript {
				t.Errorf("funding script %x, %v", script, err)
			}
			s := &ch.State
			for _, c := range []struct {
				vector *commitmentVector
				commit *channel.Commitment
				number uint64
			}{
				{v.Holder, s.HolderCommit, s.NextHolderCommitNum - 1},
				{v.Counterparty, s.CounterpartyCommit, s.NextCounterpartyCommitNum - 1},
				{v.Previous, s.PrevCounterpartyCommit, s.NextCounterpartyCommitNum - 2},
			} {
				if c.vector == nil {
					continue
				}
				if c.number != c.vector.Number {
					t.Fatalf("number %d, want %d", c.number, c.vector.Number)
				}
				compareWithVector(t, ch, ours, c.commit, c.vector)
				rebuilt++
			}
		})
	}
	if rebuilt < 50 {
		t.Errorf("only %d commitments were rebuilt", rebuilt)
	}
}

func compareWithVector(t *testing.T, ch *channel.Channel, ours channel.Basepoints, c *channel.Commitment, v *commitmentVector) {
	t.Helper()
	point, err := channel.ParsePubKey(v.Point)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := bolt3.BuildCommitment(ch, ours, c, v.Number, point)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if err := tx.Tx.SerializeNoWitness(&raw); err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(raw.Bytes()) != v.Tx || tx.Tx.TxHash().String() != v.TxID {
		t.Fatalf("commitment %d of %s is\n%x, want\n%s", v.Number, c.Broadcaster, raw.Bytes(), v.Tx)
	}
	if n, err := bolt3.CommitNumber(tx.Tx, bolt3.ChannelObscurer(ch, ours)); err != nil || n != v.Number {
		t.Errorf("hidden number %d, %v", n, err)
	}
	for _, o := range []struct {
		kind   bolt3.OutputKind
		vout   *int
		script string
	}{
		{bolt3.ToLocalOutput, v.ToLocalVout, v.ToLocalScript},
		{bolt3.ToRemoteOutput, v.ToRemoteVout, v.ToRemoteScript},
	} {
		vout := bolt3test.Output(tx, o.kind)
		if o.vout == nil || *o.vout < 0 {
			if vout >= 0 {
				t.Errorf("an unexpected %s", o.kind)
			}
			continue
		}
		if vout != *o.vout || hex.EncodeToString(tx.Outputs[vout].WitnessScript) != o.script {
			t.Errorf("%s at %d, want %d", o.kind, vout, *o.vout)
		}
	}
	vouts := tx.HTLCVouts()
	if len(vouts) != len(v.HTLCs) {
		t.Fatalf("%d HTLCs, want %d", len(vouts), len(v.HTLCs))
	}
	for i, h := range v.HTLCs {
		out := tx.Outputs[vouts[i]]
		kind := bolt3.OfferedHTLC
		if h.Direction == "received" {
			kind = bolt3.ReceivedHTLC
		}
		if vouts[i] != h.Vout || out.Kind != kind || out.HTLC.CLTVExpiry != h.CLTVExpiry || hex.EncodeToString(out.WitnessScript) != h.Script {
			t.Errorf("HTLC %d: vout %d %s expiry %d, want %d %s %d", i, vouts[i], out.Kind, out.HTLC.CLTVExpiry, h.Vout, kind, h.CLTVExpiry)
		}
		if h.HTLCTx == "" {
			continue
		}
		second, err := tx.HTLCTx(vouts[i])
		if err != nil {
			t.Fatal(err)
		}
		raw.Reset()
		if err := second.Tx.SerializeNoWitness(&raw); err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(raw.Bytes()) != h.HTLCTx {
			t.Errorf("HTLC transaction %d\n%x, want\n%s", i, raw.Bytes(), h.HTLCTx)
		}
	}
}
