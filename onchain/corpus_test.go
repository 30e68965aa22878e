package onchain_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

var corpus = testdata.Corpus()

// vectorCommit is one rebuilt commitment of the corpus.
type vectorCommit struct {
	Number    uint64 `json:"commitment_number"`
	Tx        string `json:"tx"`
	Point     string `json:"per_commitment_point"`
	ToLocal   int    `json:"to_local_vout"`
	ToRemote  int    `json:"to_remote_vout"`
	LocalWS   string `json:"to_local_script"`
	RemoteWS  string `json:"to_remote_script"`
	LocalSat  uint64 `json:"to_local_value_sat"`
	RemoteSat uint64 `json:"to_remote_value_sat"`
	HTLCs     []struct {
		Vout      int    `json:"vout"`
		Direction string `json:"direction"`
		ValueSat  uint64 `json:"value_sat"`
		Hash      string `json:"payment_hash"`
		Expiry    uint32 `json:"cltv_expiry"`
		Script    string `json:"script"`
	} `json:"htlcs"`
}

type vector struct {
	Case        string        `json:"case"`
	DBID        uint64        `json:"dbid"`
	FundingTxID string        `json:"funding_txid"`
	Holder      *vectorCommit `json:"holder"`
	Theirs      *vectorCommit `json:"counterparty"`
	TheirsPrev  *vectorCommit `json:"counterparty_previous"`
	OurKeys     struct {
		Funding, Revocation, Payment, HTLC, Delayed string
	} `json:"our_keys"`
}

// golden is a vector with its channel and keys.
type golden struct {
	name string
	vector
	ch   *channel.Channel
	keys onchain.Keys
}

func read(t testing.TB, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{corpus}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pubKey(t testing.TB, s string) channel.PubKey {
	t.Helper()
	k, err := channel.ParsePubKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseTx(t testing.TB, s string) *wire.MsgTx {
	t.Helper()
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(unhex(t, s))); err != nil {
		t.Fatal(err)
	}
	return tx
}

func channelsOf(t testing.TB, name, file string) []*channel.Channel {
	t.Helper()
	raw := read(t, name, file)
	if strings.HasPrefix(file, "signer_state") {
		raw = testdata.Wrapped(t, raw)
	}
	b, err := vlsstate.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b.Channels
}

// keysOf are our public keys of a channel, from the case's secret.
func keysOf(t testing.TB, name string, ch *channel.Channel) onchain.Keys {
	t.Helper()
	secret, err := keychain.FromBytes(unhex(t, strings.TrimSpace(string(read(t, name, "hsm_secret.hex"))))).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.ChannelKeys(ch.Peer, ch.DBID)
	if err != nil {
		t.Fatal(err)
	}
	return onchain.Keys{Ours: keys.Basepoints(), Point: keys.PerCommitmentPoint}
}

var loaded []*golden

// goldens are all vectors of the corpus.
func goldens(t testing.TB) []*golden {
	t.Helper()
	if loaded == nil {
		loaded = loadGoldens(t)
	}
	return loaded
}

func loadGoldens(t testing.TB) []*golden {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpus, "vectors", "*.json"))
	if err != nil || len(paths) < 25 {
		t.Fatalf("%d vectors, %v", len(paths), err)
	}
	var out []*golden
	for _, path := range paths {
		g := &golden{name: strings.TrimSuffix(filepath.Base(path), ".json")}
		if err := json.Unmarshal(read(t, "vectors", filepath.Base(path)), &g.vector); err != nil {
			t.Fatal(err)
		}
		dir, file, ok := strings.Cut(g.Case, ".")
		if !ok {
			file = "backup"
		}
		for _, ch := range channelsOf(t, dir, file+".json") {
			if ch.Funding.Hash.String() == g.FundingTxID {
				g.ch = ch
			}
		}
		if g.ch == nil {
			t.Fatalf("%s: no such channel", g.name)
		}
		g.keys = keysOf(t, dir, g.ch)
		if g.keys.Ours.Payment != pubKey(t, g.OurKeys.Payment) {
			t.Fatalf("%s: other keys than the vector's", g.name)
		}
		out = append(out, g)
	}
	return out
}

// goldenOf is a copy of one of them.
func goldenOf(t testing.TB, name string) *golden {
	t.Helper()
	for _, g := range goldens(t) {
		if g.name == name {
			own := *g
			return &own
		}
	}
	t.Fatalf("no vector %s", name)
	return nil
}

func classify(t testing.TB, ch *channel.Channel, keys onchain.Keys, tx *wire.MsgTx) *onchain.Close {
	t.Helper()
	c, err := onchain.Classify(ch, keys, tx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkOutputs compares every output with the vector. Roles are the
// publisher's.
func checkOutputs(t *testing.T, c *onchain.Close, v *vectorCommit, anchors bool) {
	t.Helper()
	named := map[int]bool{}
	check := func(vout int, role onchain.Role, sat uint64, script string) {
		t.Helper()
		named[vout] = true
		o := c.Outputs[vout]
		if o.Role != role || o.ValueSat != sat || hex.EncodeToString(o.WitnessScript) != script || int(o.OutPoint.Index) != vout || o.OutPoint.Hash != c.TxID {
			t.Errorf("output %d: %s of %d sat, script %x; want %s of %d", vout, o.Role, o.ValueSat, o.WitnessScript, role, sat)
		}
	}
	if v.ToLocal >= 0 {
		check(v.ToLocal, onchain.ToLocal, v.LocalSat, v.LocalWS)
	}
	if v.ToRemote >= 0 {
		check(v.ToRemote, onchain.ToRemote, v.RemoteSat, v.RemoteWS)
	}
	for _, h := range v.HTLCs {
		role := onchain.OfferedHTLC
		if h.Direction == "received" {
			role = onchain.ReceivedHTLC
		}
		check(h.Vout, role, h.ValueSat, h.Script)
		got := c.Outputs[h.Vout].HTLC
		if got == nil || got.ValueSat != h.ValueSat || got.CLTVExpiry != h.Expiry || hex.EncodeToString(got.PaymentHash[:]) != h.Hash {
			t.Errorf("output %d: HTLC %+v, want %+v", h.Vout, got, h)
		}
	}
	left := 0
	for i, o := range c.Outputs {
		if named[i] {
			continue
		}
		left++
		if o.Role != onchain.ToLocalAnchor && o.Role != onchain.ToRemoteAnchor {
			t.Errorf("output %d is %s, want an anchor", i, o.Role)
		}
	}
	if !anchors && left > 0 {
		t.Errorf("%d outputs more than the vector has", left)
	}
}

func TestEveryCommitmentOfTheCorpusIsNamed(t *testing.T) {
	for _, g := range goldens(t) {
		for _, tt := range []struct {
			v    *vectorCommit
			kind onchain.Kind
		}{
			{g.Holder, onchain.OursCurrent},
			{g.Theirs, onchain.TheirsCurrent},
			{g.TheirsPrev, onchain.TheirsPrevious},
		} {
			if tt.v == nil {
				continue
			}
			t.Run(g.name+"/"+string(tt.kind), func(t *testing.T) {
				c := classify(t, g.ch, g.keys, parseTx(t, tt.v.Tx))
				if c.Kind != tt.kind || c.Evidence != onchain.EvidenceExact || c.Number != tt.v.Number || !c.HasNumber || !c.Form {
					t.Fatalf("%s by %s, number %d: %s", c.Kind, c.Evidence, c.Number, c.Reason)
				}
				if c.Point == nil || *c.Point != pubKey(t, tt.v.Point) {
					t.Errorf("point %v, want %s", c.Point, tt.v.Point)
				}
				checkOutputs(t, c, tt.v, g.ch.Type.HasAnchors())
				checkClaims(t, c, g.ch, tt.kind.Ours())
			})
		}
	}
}

// checkClaims checks who takes what on an unrevoked commitment, output by
// output.
func checkClaims(t *testing.T, c *onchain.Close, ch *channel.Channel, ours bool) {
	t.Helper()
	wait := uint32(0)
	if ch.Type.HasAnchors() {
		wait = 1
	}
	for i, o := range c.Outputs {
		type claim struct {
			owner     onchain.Owner
			by        onchain.Claimant
			path      onchain.Path
			csv, cltv uint32
			second    bool
		}
		peers := claim{owner: onchain.OwnerPeer, by: onchain.ByNobody, path: onchain.PathNone}
		anchor := claim{owner: onchain.OwnerUs, by: onchain.BySweep, path: onchain.PathAnchor}
		success := claim{onchain.OwnerEither, onchain.BySweep, onchain.PathSuccess, wait, 0, ours}
		var want claim
		switch {
		case o.Role == onchain.ToLocal && ours:
			want = claim{onchain.OwnerUs, onchain.BySweep, onchain.PathDelayed, uint32(ch.CounterpartyDelay), 0, false}
		case o.Role == onchain.ToRemote && !ours:
			want = claim{onchain.OwnerUs, onchain.ByWallet, onchain.PathPayment, wait, 0, false}
		case o.Role == onchain.ToLocalAnchor && ours, o.Role == onchain.ToRemoteAnchor && !ours:
			want = anchor
		case o.Role == onchain.OfferedHTLC && ours, o.Role == onchain.ReceivedHTLC && !ours:
			want = claim{onchain.OwnerEither, onchain.BySweep, onchain.PathTimeout, wait, o.HTLC.CLTVExpiry, ours}
		case o.HTLC != nil:
			want = success
		default:
			want = peers
		}
		if got := (claim{o.Owner, o.Claimant, o.Path, o.CSV, o.CLTV, o.SecondStage}); got != want {
			t.Errorf("output %d (%s): %+v, want %+v", i, o.Role, got, want)
		}
	}
	delay := ch.HolderDelay
	if ours {
		delay = ch.CounterpartyDelay
	}
	if c.Delay != delay {
		t.Errorf("delay %d, want %d", c.Delay, delay)
	}
}
