package vlsstate

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/testdata"
)

var corpus = testdata.Corpus()

// inputs are backups that are not as a signer of today writes them.
const inputs = "../testdata/inputs"

// genuine lists every backup that the Greenlight signer wrote.
func genuine(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpus, "*", "backup*.json"))
	if err != nil || len(files) < 16 {
		t.Fatalf("%d genuine backups, %v", len(files), err)
	}
	return files
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadJSON(t testing.TB, path string, out any) {
	t.Helper()
	if err := json.Unmarshal(load(t, path), out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func parsed(t testing.TB, path string) *Backup {
	t.Helper()
	b, err := ReadFile(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, p := range b.Problems {
		t.Errorf("%s: %v", path, p)
	}
	return b
}

func caseOf(path string) string { return filepath.Base(filepath.Dir(path)) }

func TestEveryGenuineBackupIsReadWithoutAProblem(t *testing.T) {
	for _, path := range genuine(t) {
		b := parsed(t, path)
		if b.Network != "regtest" || b.KeyDerivationStyle != NativeKeyDerivation || b.CreatedAt.IsZero() {
			t.Errorf("%s: network %q, style %d, created %v", path, b.Network, b.KeyDerivationStyle, b.CreatedAt)
		}
		if len(b.Channels) == 0 || len(b.Channels) != len(b.Heights) {
			t.Errorf("%s: %d channels, %d watched", path, len(b.Channels), len(b.Heights))
		}
		for _, c := range b.Channels {
			h, ok := b.Heights[c.Funding]
			if !ok || h != (Heights{}) {
				t.Errorf("%s: channel %s: heights %v %v, want an entry without numbers", path, c.Key, h, ok)
			}
		}
	}
}

func TestGreenlightsOwnInventoryIsOurs(t *testing.T) {
	type inspected struct {
		ChannelKey      string `json:"channel_key"`
		PeerID          string `json:"peer_id"`
		PeerAddr        string `json:"peer_addr"`
		FundingOutpoint struct {
			Txid string
			Vout uint32
		} `json:"funding_outpoint"`
		FundingSats uint64            `json:"funding_sats"`
		Basepoints  map[string]string `json:"remote_basepoints"`
		Opener      string
		Delay       uint16 `json:"remote_to_self_delay"`
		Type        string `json:"commitment_type"`
	}
	for _, path := range genuine(t) {
		if filepath.Base(path) != "backup.json" {
			continue
		}
		b := parsed(t, path)
		var want []inspected
		loadJSON(t, filepath.Join(filepath.Dir(path), "glclient-inspect.json"), &want)
		if len(b.Channels) != len(want) {
			t.Fatalf("%s: %d channels, Greenlight lists %d", path, len(b.Channels), len(want))
		}
		for i, c := range b.Channels {
			w := want[i]
			got := inspected{
				PeerID:      c.Peer.String(),
				PeerAddr:    b.Peers[c.Peer].Addr,
				FundingSats: c.CapacitySat,
				Opener:      c.Opener.String(),
				Delay:       c.CounterpartyDelay,
				Type:        c.Type.String(),
			}
			got.FundingOutpoint.Txid = hex.EncodeToString(c.Funding.Hash[:])
			got.FundingOutpoint.Vout = c.Funding.Index
			if got.PeerID != w.PeerID || got.PeerAddr != w.PeerAddr || got.FundingSats != w.FundingSats ||
				got.Opener != w.Opener || got.Delay != w.Delay || got.Type != w.Type ||
				got.FundingOutpoint != w.FundingOutpoint {
				t.Errorf("%s: channel %s is %+v, Greenlight says %+v", path, c.Key, got, w)
			}
			for name, key := range map[string]channel.PubKey{
				"delayed_payment_basepoint": c.Remote.Delayed,
				"funding_pubkey":            c.Remote.Funding,
				"htlc_basepoint":            c.Remote.HTLC,
				"payment_point":             c.Remote.Payment,
				"revocation_basepoint":      c.Remote.Revocation,
			} {
				if key.String() != w.Basepoints[name] {
					t.Errorf("%s: channel %s: %s differs", path, c.Key, name)
				}
			}
		}
	}
}

// nodeChannel is what the node itself said of a channel.
type nodeChannel struct {
	PeerID      string `json:"peer_id"`
	ChannelID   string `json:"channel_id"`
	ToUsMsat    uint64 `json:"to_us_msat"`
	TotalMsat   uint64 `json:"total_msat"`
	LastFeeMsat uint64 `json:"last_tx_fee_msat"`
	Opener      string
	OurDelay    uint16 `json:"our_to_self_delay"`
	TheirDelay  uint16 `json:"their_to_self_delay"`
	HTLCs       []struct {
		Direction   string
		AmountMsat  uint64 `json:"amount_msat"`
		Expiry      uint32
		PaymentHash string `json:"payment_hash"`
	}
}

func TestTheNodeAgreesWithItsSigner(t *testing.T) {
	compared, withHTLCs := 0, 0
	for _, path := range genuine(t) {
		if filepath.Base(path) != "backup.json" {
			continue
		}
		b := parsed(t, path)
		var node struct {
			ID       string
			Channels []nodeChannel
		}
		loadJSON(t, filepath.Join(filepath.Dir(path), "node.json"), &node)
		if b.NodeID.String() != node.ID {
			t.Errorf("%s: node %s, it says %s", path, b.NodeID, node.ID)
		}
		for _, c := range b.Channels {
			var n *nodeChannel
			for i := range node.Channels {
				if node.Channels[i].ChannelID == c.ID().String() {
					n = &node.Channels[i]
				}
			}
			if n == nil {
				continue // closed and forgotten
			}
			compared++
			if n.PeerID != c.Peer.String() || n.Opener != c.Opener.String() || n.TotalMsat != c.CapacitySat*1000 {
				t.Errorf("%s: channel %s differs from the node's: %+v", path, c.Key, n)
			}
			// CLN's our_to_self_delay is the delay on our own output.
			if n.OurDelay != c.CounterpartyDelay || n.TheirDelay != c.HolderDelay {
				t.Errorf("%s: channel %s: delays %d %d, node says %d %d", path, c.Key,
					c.CounterpartyDelay, c.HolderDelay, n.OurDelay, n.TheirDelay)
			}
			if caseOf(path) == "stale" {
				continue // the node went on after this snapshot
			}
			if c.State.HolderCommit == nil {
				continue
			}
			checkShare(t, path, c, n)
			if len(n.HTLCs) > 0 {
				withHTLCs++
			}
		}
	}
	if compared < 14 || withHTLCs < 3 {
		t.Errorf("only %d channels compared, %d with HTLCs", compared, withHTLCs)
	}
}

// checkShare compares balance and HTLCs. The node's to_us_msat counts the fee
// and the anchors as the opener's, and HTLCs that we offered as gone.
func checkShare(t *testing.T, path string, c *channel.Channel, n *nodeChannel) {
	t.Helper()
	commit := c.State.HolderCommit
	for _, h := range n.HTLCs {
		list := commit.Received
		if h.Direction == "out" {
			list = commit.Offered
		}
		found := false
		for _, k := range list {
			found = found || k.ValueSat == h.AmountMsat/1000 && k.CLTVExpiry == h.Expiry &&
				hex.EncodeToString(k.PaymentHash[:]) == h.PaymentHash
		}
		if !found && h.AmountMsat >= 1_000_000 {
			t.Errorf("%s: channel %s: HTLC of %d msat is missing", path, c.Key, h.AmountMsat)
		}
	}
	// All that the commitment pays, plus the fee, plus two anchors, is the
	// channel; what is left is trimmed.
	var htlcs uint64
	for _, h := range commit.Offered {
		htlcs += h.ValueSat
	}
	offered := htlcs
	for _, h := range commit.Received {
		htlcs += h.ValueSat
	}
	known := c.LastKnownShare()
	share := known.Sat
	taken := c.CapacitySat - commit.ToBroadcasterSat - commit.ToCountersignerSat - htlcs
	want := n.ToUsMsat / 1000
	switch {
	case known.From != channel.FromCommitment:
		t.Errorf("%s: channel %s: no share", path, c.Key)
	case c.Opener == channel.Local:
		if got := share + offered + taken; got < want || got > want+1+taken {
			t.Errorf("%s: channel %s: share %d + HTLCs %d + taken %d, node says %d sat", path, c.Key, share, offered, taken, want)
		}
	default:
		if got := share + offered; got > want || got+taken < want {
			t.Errorf("%s: channel %s: share %d + HTLCs %d, node says %d sat", path, c.Key, share, offered, want)
		}
	}
}

func TestTheRebuiltCommitmentsHaveTheSameNumbers(t *testing.T) {
	type side struct {
		Number    uint64  `json:"commitment_number"`
		Point     string  `json:"per_commitment_point"`
		ToLocal   *uint64 `json:"to_local_value_sat"`
		ToRemote  *uint64 `json:"to_remote_value_sat"`
		Feerate   uint32  `json:"feerate_per_kw"`
		Signature string  `json:"counterparty_sig"`
		HTLCs     []struct {
			Direction   string
			ValueSat    uint64 `json:"value_sat"`
			PaymentHash string `json:"payment_hash"`
			Expiry      uint32 `json:"cltv_expiry"`
			Signature   string `json:"counterparty_sig"`
		}
	}
	files, err := filepath.Glob(filepath.Join(corpus, "vectors", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, path := range files {
		var v struct {
			DBID         uint64
			PeerID       string `json:"peer_id"`
			Case         string
			Capacity     uint64 `json:"channel_value_sat"`
			Holder       *side
			Counterparty *side
			NextHolder   uint64 `json:"next_holder_commit_num"`
			NextTheirs   uint64 `json:"next_counterparty_commit_num"`
			NextRevoke   uint64 `json:"next_counterparty_revoke_num"`
		}
		loadJSON(t, path, &v)
		b := sourceOf(t, path)
		var c *channel.Channel
		for _, k := range b.Channels {
			if k.DBID == v.DBID && k.Peer.String() == v.PeerID {
				c = k
			}
		}
		if c == nil {
			t.Errorf("%s: no such channel in its backup", path)
			continue
		}
		s := &c.State
		if c.CapacitySat != v.Capacity || s.NextHolderCommitNum != v.NextHolder ||
			s.NextCounterpartyCommitNum != v.NextTheirs || s.NextCounterpartyRevokeNum != v.NextRevoke {
			t.Errorf("%s: numbers differ: %+v", path, s)
		}
		check := func(w *side, commit *channel.Commitment, sigs *channel.Signatures, next uint64) {
			if w == nil || commit == nil {
				if (w == nil) != (commit == nil) {
					t.Errorf("%s: commitment %v, vector %v", path, commit, w)
				}
				return
			}
			if w.Number+1 != next || w.Feerate != commit.FeeratePerKW ||
				valueOf(w.ToLocal) != commit.ToBroadcasterSat || valueOf(w.ToRemote) != commit.ToCountersignerSat {
				t.Errorf("%s: commitment %+v, vector %+v", path, commit, w)
			}
			if len(w.HTLCs) != len(commit.Offered)+len(commit.Received) {
				t.Errorf("%s: %d HTLCs, vector has %d", path, len(commit.Offered)+len(commit.Received), len(w.HTLCs))
				return
			}
			for i, h := range w.HTLCs {
				list := commit.Offered
				if h.Direction == "received" {
					list = commit.Received
				}
				found := false
				for _, k := range list {
					found = found || k.ValueSat == h.ValueSat && k.CLTVExpiry == h.Expiry &&
						hex.EncodeToString(k.PaymentHash[:]) == h.PaymentHash
				}
				if !found {
					t.Errorf("%s: HTLC %d is missing", path, i)
				}
				if sigs != nil && !strings.HasPrefix(h.Signature, hex.EncodeToString(sigs.HTLCs[i])) {
					t.Errorf("%s: signature of HTLC %d differs", path, i)
				}
			}
			if sigs != nil && !strings.HasPrefix(w.Signature, hex.EncodeToString(sigs.Commit)) {
				t.Errorf("%s: commitment signature differs", path)
			}
		}
		check(v.Holder, s.HolderCommit, s.HolderSigs, s.NextHolderCommitNum)
		check(v.Counterparty, s.CounterpartyCommit, nil, s.NextCounterpartyCommitNum)
		if v.Counterparty != nil && s.CounterpartyPoint.String() != v.Counterparty.Point {
			t.Errorf("%s: counterparty point differs", path)
		}
		checkLastSecret(t, path, s)
	}
}

func valueOf(v *uint64) uint64 {
	if v == nil {
		return 0
	}
	return *v
}

// checkLastSecret holds the last revoked secret against the point that is
// stored with it.
func checkLastSecret(t *testing.T, path string, s *channel.State) {
	t.Helper()
	r := s.NextCounterpartyRevokeNum
	if r == 0 || s.NextCounterpartyCommitNum != r+1 || s.PrevCounterpartyPoint == nil {
		return
	}
	for _, secret := range s.Secrets {
		if secret.Index != channel.ShachainIndex(r-1) {
			continue
		}
		_, point := btcec.PrivKeyFromBytes(secret.Secret[:])
		if channel.PubKeyOf(point) != *s.PrevCounterpartyPoint {
			t.Errorf("%s: the last secret is not that of previous_counterparty_point", path)
		}
		return
	}
	t.Errorf("%s: no secret for the last revoked commitment", path)
}

// sourceOf finds the state that a vector was made from: case-dbid.json or
// case.file-dbid.json.
func sourceOf(t *testing.T, vector string) *Backup {
	t.Helper()
	name := filepath.Base(vector)
	name = name[:strings.LastIndexByte(name, '-')]
	dir, file, ok := strings.Cut(name, ".")
	if !ok {
		file = "backup"
	}
	path := filepath.Join(corpus, dir, file+".json")
	if !strings.HasPrefix(file, "signer_state") {
		return parsed(t, path)
	}
	b, err := Parse(testdata.Wrapped(t, load(t, path)))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, p := range b.Problems {
		t.Errorf("%s: %v", path, p)
	}
	return b
}

func TestEverySignatureSignsOurDigest(t *testing.T) {
	checked := 0
	for _, path := range genuine(t) {
		b := parsed(t, path)
		secret, err := hex.DecodeString(strings.TrimSpace(string(load(t, filepath.Join(filepath.Dir(path), "hsm_secret.hex")))))
		if err != nil {
			t.Fatal(err)
		}
		seed, err := hkdf.Key(sha256.New, secret, nil, signingDomain, 32)
		if err != nil {
			t.Fatal(err)
		}
		_, key := btcec.PrivKeyFromBytes(seed)
		for i := range b.Entries {
			e := &b.Entries[i]
			if len(e.Signature) != SignatureSize {
				t.Errorf("%s: %s entry without signature", path, e.Kind())
				continue
			}
			var r, s btcec.ModNScalar
			if r.SetByteSlice(e.Signature[:32]) || s.SetByteSlice(e.Signature[32:]) {
				t.Fatalf("%s: signature out of range", path)
			}
			digest := SigningDigest(e)
			if !ecdsa.NewSignature(&r, &s).Verify(digest[:], key) {
				t.Errorf("%s: signature of %s entry does not verify", path, e.Kind())
			}
			checked++
		}
	}
	if checked < 100 {
		t.Errorf("only %d signatures checked", checked)
	}
}

func TestASnapshotAtBirthHasNoState(t *testing.T) {
	for _, name := range []string{"fresh-outbound", "stale", "unconfirmed"} {
		b := parsed(t, filepath.Join(corpus, name, "backup.json"))
		if b.Strategy != (Strategy{Kind: NewChannelsOnly}) {
			t.Errorf("%s: strategy %v", name, b.Strategy)
		}
		for _, c := range b.Channels {
			s := c.State
			if c.Used() || s.HolderCommit != nil || s.CounterpartyPoint != nil || len(s.Secrets) != 0 {
				t.Errorf("%s: channel %s has a state: %+v", name, c.Key, s)
			}
		}
	}
}

func TestAnInboundPeerIsMarked(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "inbound-used", "backup.json"))
	for id, p := range b.Peers {
		if p.Direction != In || p.Addr == "" || len(p.Features) == 0 {
			t.Errorf("peer %s: %+v", id, p)
		}
	}
	if len(b.Peers) != 1 || b.Channels[0].Opener != channel.Remote {
		t.Errorf("%d peers, opener %s", len(b.Peers), b.Channels[0].Opener)
	}
}

func TestAClosedChannelSaysSo(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "closed-one", "backup.json"))
	closed := 0
	for _, c := range b.Channels {
		if c.State.Closed {
			closed++
		}
	}
	if closed != 1 || len(b.Channels) != 2 {
		t.Errorf("%d of %d channels closed, want 1 of 2", closed, len(b.Channels))
	}
}

func TestCanonicalFormOfAGenuineValueIsItsCompactForm(t *testing.T) {
	for _, path := range genuine(t) {
		var doc struct {
			State struct {
				Values map[string][]json.RawMessage
			}
		}
		loadJSON(t, path, &doc)
		b := parsed(t, path)
		if len(b.Entries) != len(doc.State.Values) {
			t.Errorf("%s: %d entries, file has %d", path, len(b.Entries), len(doc.State.Values))
		}
		for _, e := range b.Entries {
			var want bytes.Buffer
			if err := json.Compact(&want, doc.State.Values[e.Key][1]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(e.Value, want.Bytes()) {
				t.Errorf("%s: canonical form of a %s entry differs", path, e.Kind())
			}
		}
	}
}

func asFailure(err error, out **failure.Error) bool { return errors.As(err, out) }
