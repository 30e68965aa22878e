package sweep_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// commitVector is a commitment that an independent program rebuilt.
type commitVector struct {
	Tx       string `json:"tx"`
	LocalSat uint64 `json:"to_local_value_sat"`
	ShareSat uint64 `json:"to_remote_value_sat"`
	ToRemote int    `json:"to_remote_vout"`
	ToLocal  int    `json:"to_local_vout"`
	HTLCs    []struct {
		Vout      uint32 `json:"vout"`
		Direction string `json:"direction"`
		ValueSat  uint64 `json:"value_sat"`
		Expiry    uint32 `json:"cltv_expiry"`
		Tx        string `json:"htlc_tx"`
	} `json:"htlcs"`
}

type channelVector struct {
	Case        string        `json:"case"`
	FundingTxid string        `json:"funding_txid"`
	Holder      *commitVector `json:"holder"`
	Theirs      *commitVector `json:"counterparty"`
	Previous    *commitVector `json:"counterparty_previous"`
}

func channelOf(t *testing.T, v *channelVector) (*channel.Channel, *seedkeys.Keys) {
	t.Helper()
	dir, file, ok := strings.Cut(v.Case, ".")
	if !ok {
		file = "backup"
	}
	raw := testdata.Read(t, dir, file+".json")
	if strings.HasPrefix(file, "signer_state") {
		raw = testdata.Wrapped(t, raw)
	}
	b := must(vlsstate.Read(bytes.NewReader(raw)))
	secret, _ := nodeSecret(t, dir)
	for _, ch := range b.Channels {
		if ch.Funding.Hash.String() == v.FundingTxid {
			return ch, seedkeys.New(secret, "regtest")
		}
	}
	t.Fatalf("%s: no such channel", v.Case)
	return nil, nil
}

// Every commitment that the genuine backups hold is claimed to the last output
// that is ours, with the peers' own signatures, and every transaction passes
// the script engine (Build runs it).
func TestCommitmentsOfTheCorpusAreClaimed(t *testing.T) {
	paths, err := filepath.Glob(testdata.Corpus("vectors", "*.json"))
	if err != nil || len(paths) != 25 {
		t.Fatalf("%d vectors, %v", len(paths), err)
	}
	made := map[onchain.Path]int{}
	second := 0
	for _, path := range paths {
		var v channelVector
		if err := json.Unmarshal(must(os.ReadFile(path)), &v); err != nil {
			t.Fatal(err)
		}
		ch, keys := channelOf(t, &v)
		pub := must(keys.Public(ch.Key))
		for side, commit := range map[string]*commitVector{"ours": v.Holder, "theirs": v.Theirs, "previous": v.Previous} {
			if commit == nil {
				continue
			}
			t.Run(filepath.Base(path)+"/"+side, func(t *testing.T) {
				const height = 5_000
				c := must(onchain.Classify(ch, pub, decode(t, commit.Tx)))
				claims := must(sweep.Claims(sweep.Case{Channel: ch, Keys: pub, Close: c, Height: height}))
				byVout := map[uint32]sweep.Claim{}
				for _, claim := range claims {
					byVout[claim.Output.OutPoint.Index] = claim
				}
				check := func(vout uint32, path onchain.Path, sat uint64, needs sweep.Need, from uint32) {
					t.Helper()
					claim, ok := byVout[vout]
					delete(byVout, vout)
					if !ok || claim.Output.Path != path || claim.Output.ValueSat != sat || claim.Needs != needs || claim.From != from {
						t.Fatalf("output %d: %s of %d sat needs %q from %d; want %s of %d, %q from %d", vout,
							claim.Output.Path, claim.Output.ValueSat, claim.Needs, claim.From, path, sat, needs, from)
					}
					if !claim.Ready() {
						return
					}
					wallet := sweep.NewFakeWallet(t)
					wallet.Put(wire.OutPoint{Index: 5}, 50_000)
					tx, err := sweep.Build(t.Context(), keys, sweep.Order{
						Claims: []sweep.Claim{claim}, Destination: must(addressOf(wallet.PkScript())),
						Network: &chaincfg.RegressionNetParams, FeeratePerKW: 253, Wallet: wallet,
					})
					if err != nil {
						t.Fatal(err)
					}
					made[path]++
					for _, h := range commit.HTLCs {
						if h.Vout != vout || h.Tx == "" {
							continue
						}
						want := decode(t, h.Tx)
						if tx.Tx.LockTime != want.LockTime || tx.Tx.TxIn[0].Sequence != want.TxIn[0].Sequence ||
							tx.Tx.TxIn[0].PreviousOutPoint != want.TxIn[0].PreviousOutPoint ||
							tx.Tx.TxOut[0].Value != want.TxOut[0].Value || string(tx.Tx.TxOut[0].PkScript) != string(want.TxOut[0].PkScript) {
							t.Errorf("HTLC transaction %s, want %s", hexOf(tx.Tx), h.Tx)
						}
						if ch.Type == channel.StaticRemoteKey && tx.Txid != want.TxHash() {
							t.Errorf("HTLC transaction %s, want %s", tx.Txid, want.TxHash())
						}
						second++
					}
				}
				wait, ours := uint32(0), side == "ours"
				if ch.Type.HasAnchors() {
					wait = 1
				}
				if ours && commit.ToLocal >= 0 {
					check(uint32(commit.ToLocal), onchain.PathDelayed, commit.LocalSat, sweep.NeedNothing, height+uint32(ch.CounterpartyDelay))
				}
				if !ours && commit.ToRemote >= 0 && commit.ShareSat > 0 {
					check(uint32(commit.ToRemote), onchain.PathPayment, commit.ShareSat, sweep.NeedNothing, height+wait)
				}
				for _, h := range commit.HTLCs {
					if sent := (h.Direction == "offered") == ours; !sent {
						check(h.Vout, onchain.PathSuccess, h.ValueSat, sweep.NeedPreimage, height+wait)
						continue
					}
					needs := sweep.NeedNothing
					if ours && ch.Type == channel.AnchorsZeroFeeHTLC {
						needs = sweep.NeedFeeInput
					}
					check(h.Vout, onchain.PathTimeout, h.ValueSat, needs, height+wait) // all have expired
				}
				if len(byVout) != 0 {
					t.Errorf("%d claims more than the vector has: %+v", len(byVout), byVout)
				}
			})
		}
	}
	if made[onchain.PathDelayed] < 15 || made[onchain.PathPayment] < 15 || made[onchain.PathTimeout] < 4 || second < 4 {
		t.Errorf("%v, %d HTLC transactions", made, second)
	}
}
