package bolt3

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/lightningnetwork/lnd/shachain"

	"github.com/glrecover/glrecover/channel"
)

type vectorHTLC struct {
	Offered    bool   `json:"offered"`
	AmountMsat uint64 `json:"amount_msat"`
	Expiry     uint32 `json:"expiry"`
	Preimage   string `json:"preimage"`
}

type vector struct {
	Name         string `json:"name"`
	ToLocalMsat  uint64 `json:"to_local_msat"`
	ToRemoteMsat uint64 `json:"to_remote_msat"`
	FeeratePerKW uint32 `json:"feerate_per_kw"`
	DustLimitSat uint64 `json:"dust_limit_sat"`
	RemoteSig    string `json:"remote_signature"`
	CommitTx     string `json:"commit_tx"`
	HTLCs        []struct {
		RemoteSig string `json:"remote_signature"`
		Tx        string `json:"tx"`
	} `json:"htlcs"`
}

type vectorFile struct {
	HTLCs           []vectorHTLC `json:"htlcs"`
	StaticRemoteKey []vector     `json:"static_remotekey"`
	ZeroFee         []vector     `json:"anchors_zero_fee_htlc"`
	WithFees        []vector     `json:"anchors_with_htlc_fees"`
	Generate        []struct {
		Name, Seed, Secret string
		Index              uint64
	} `json:"generate"`
	Store []struct {
		Name    string
		Inserts []struct {
			Index  uint64
			Secret string
			OK     bool
		}
	} `json:"store"`
}

func loadVectors(t *testing.T) *vectorFile {
	t.Helper()
	raw, err := os.ReadFile("testdata/bolt3.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectorFile
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t *testing.T, s string) channel.PubKey {
	t.Helper()
	k, err := channel.ParsePubKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseTx(t *testing.T, s string) *wire.MsgTx {
	t.Helper()
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(unhex(t, s))); err != nil {
		t.Fatal(err)
	}
	return &tx
}

// appendixC are the channel, our keys and the point of appendices C and F.
func appendixC(t *testing.T, typ channel.Type) (*channel.Channel, channel.Basepoints, channel.PubKey) {
	t.Helper()
	txid, err := chainhash.NewHashFromStr("8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be")
	if err != nil {
		t.Fatal(err)
	}
	localPayment := key(t, "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa")
	remotePayment := key(t, "032c0b7cf95324a07d05398b240174dc0c2be444d96b159aa6c7f7b1e668680991")
	ours := channel.Basepoints{
		Funding: key(t, "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb"),
		Payment: localPayment, HTLC: localPayment,
		Delayed:    key(t, "023c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1"),
		Revocation: localPayment, // plays no part in our own commitment
	}
	ch := &channel.Channel{
		Funding: wire.OutPoint{Hash: *txid}, CapacitySat: 10_000_000, Opener: channel.Local, Type: typ,
		CounterpartyDelay: 144,
		Remote: channel.Basepoints{
			Funding: key(t, "030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c1"),
			Payment: remotePayment, HTLC: remotePayment,
			Revocation: key(t, "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"),
			Delayed:    remotePayment,
		},
	}
	return ch, ours, key(t, "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486")
}

// trimmed applies BOLT 3's fee and dust rules to a vector: what a signer's
// backup holds is the result of them.
func trimmed(t *testing.T, f *vectorFile, v vector, typ channel.Type) *channel.Commitment {
	t.Helper()
	var htlcs []vectorHTLC
	switch {
	case v.Name == "simple commitment tx with no HTLCs", v.Name == "simple commitment tx with no HTLCs and single anchor":
	case v.ToLocalMsat == 6987999999:
		htlcs = []vectorHTLC{f.HTLCs[1], f.HTLCs[5], f.HTLCs[6]}
	default:
		htlcs = f.HTLCs[:5]
	}
	c := &channel.Commitment{Broadcaster: channel.Local, FeeratePerKW: v.FeeratePerKW}
	for _, h := range htlcs {
		if h.AmountMsat/1000 < v.DustLimitSat+htlcFee(typ, !h.Offered, v.FeeratePerKW) {
			continue
		}
		entry := channel.HTLC{ValueSat: h.AmountMsat / 1000, PaymentHash: sha256.Sum256(unhex(t, h.Preimage)), CLTVExpiry: h.Expiry}
		if h.Offered {
			c.Offered = append(c.Offered, entry)
		} else {
			c.Received = append(c.Received, entry)
		}
	}
	var anchors uint64
	if typ.HasAnchors() {
		anchors = 2 * AnchorSat
	}
	cost := CommitmentWeight(typ, len(c.Offered)+len(c.Received))*uint64(v.FeeratePerKW)/1000 + anchors
	if toLocal := v.ToLocalMsat / 1000; toLocal >= cost+v.DustLimitSat {
		c.ToBroadcasterSat = toLocal - cost
	}
	if toRemote := v.ToRemoteMsat / 1000; toRemote >= v.DustLimitSat {
		c.ToCountersignerSat = toRemote
	}
	return c
}

func withoutWitness(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	if err := tx.SerializeNoWitness(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// spends runs the script engine on the first input.
func spends(t *testing.T, tx *wire.MsgTx, out *wire.TxOut) {
	t.Helper()
	fetcher := txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value)
	engine, err := txscript.NewEngine(out.PkScript, tx, 0, txscript.StandardVerifyFlags, nil,
		txscript.NewTxSigHashes(tx, fetcher), out.Value, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Execute(); err != nil {
		t.Fatalf("the vector's transaction does not spend our output: %v", err)
	}
}

func TestCommitmentsOfBOLT3AppendicesCAndF(t *testing.T) {
	f := loadVectors(t)
	for _, group := range []struct {
		name    string
		typ     channel.Type
		vectors []vector
	}{
		{"static_remotekey", channel.StaticRemoteKey, f.StaticRemoteKey},
		{"anchors_zero_fee_htlc", channel.AnchorsZeroFeeHTLC, f.ZeroFee},
		{"anchors_with_htlc_fees", channel.Anchors, f.WithFees},
	} {
		if len(group.vectors) == 0 {
			t.Fatalf("no vectors for %s", group.name)
		}
		for _, v := range group.vectors {
			t.Run(group.name+"/"+v.Name, func(t *testing.T) { checkVector(t, f, v, group.typ) })
		}
	}
}

func checkVector(t *testing.T, f *vectorFile, v vector, typ channel.Type) {
	ch, ours, point := appendixC(t, typ)
	c, err := BuildCommitment(ch, ours, trimmed(t, f, v, typ), 42, point)
	if err != nil {
		t.Fatal(err)
	}
	want := parseTx(t, v.CommitTx)
	if got, want := withoutWitness(c.Tx), withoutWitness(want); !bytes.Equal(got, want) {
		t.Fatalf("commitment\n%x, want\n%x", got, want)
	}
	if n, err := CommitNumber(want, ChannelObscurer(ch, ours)); err != nil || n != 42 {
		t.Fatalf("number %d, %v, want 42", n, err)
	}
	funding, err := FundingPkScript(ch.Remote.Funding, ours.Funding)
	if err != nil {
		t.Fatal(err)
	}
	spends(t, want, wire.NewTxOut(int64(ch.CapacitySat), funding))

	sigs := &channel.Signatures{Commit: unhex(t, v.RemoteSig)}
	vouts := c.HTLCVouts()
	if len(vouts) != len(v.HTLCs) {
		t.Fatalf("%d HTLC outputs, want %d", len(vouts), len(v.HTLCs))
	}
	for i, h := range v.HTLCs {
		sigs.HTLCs = append(sigs.HTLCs, unhex(t, h.RemoteSig))
		htlc, err := c.HTLCTx(vouts[i])
		if err != nil {
			t.Fatal(err)
		}
		want := parseTx(t, h.Tx)
		if got, want := withoutWitness(htlc.Tx), withoutWitness(want); !bytes.Equal(got, want) {
			t.Fatalf("HTLC transaction %d\n%x, want\n%x", i, got, want)
		}
		spends(t, want, c.Tx.TxOut[vouts[i]])
	}
	if err := c.VerifySignatures(sigs, ch.Remote.Funding); err != nil {
		t.Fatal(err)
	}
	refuseBadSignatures(t, c, sigs, ch.Remote.Funding)
}

// refuseBadSignatures damages each signature in turn.
func refuseBadSignatures(t *testing.T, c *CommitTx, sigs *channel.Signatures, funding channel.PubKey) {
	t.Helper()
	flip := func(der []byte) []byte {
		bad := bytes.Clone(der)
		bad[len(bad)-1] ^= 1
		return bad
	}
	check := func(name string, bad *channel.Signatures, place int) {
		var sigErr *SignatureError
		if err := c.VerifySignatures(bad, funding); !errors.As(err, &sigErr) || !errors.Is(err, ErrSignature) || sigErr.HTLC != place {
			t.Errorf("%s: error %v, want one that names signature %d", name, err, place)
		}
	}
	check("damaged commitment signature", &channel.Signatures{Commit: flip(sigs.Commit), HTLCs: sigs.HTLCs}, -1)
	check("no commitment signature", &channel.Signatures{HTLCs: sigs.HTLCs}, -1)
	check("one signature too many", &channel.Signatures{Commit: sigs.Commit, HTLCs: append(sigs.HTLCs[:len(sigs.HTLCs):len(sigs.HTLCs)], sigs.Commit)}, len(sigs.HTLCs))
	for i := range sigs.HTLCs {
		bad := &channel.Signatures{Commit: sigs.Commit, HTLCs: append([][]byte(nil), sigs.HTLCs...)}
		bad.HTLCs[i] = flip(sigs.HTLCs[i])
		check("damaged HTLC signature", bad, i)
	}
	if n := len(sigs.HTLCs); n > 0 {
		check("a missing HTLC signature", &channel.Signatures{Commit: sigs.Commit, HTLCs: sigs.HTLCs[:n-1]}, n-1)
	}
}

func TestKeysOfBOLT3AppendixE(t *testing.T) {
	base, basePub := btcec.PrivKeyFromBytes(unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	secret, point := btcec.PrivKeyFromBytes(unhex(t, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"))
	if got := PointOf([32]byte(secret.Serialize())); got != key(t, "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486") {
		t.Errorf("per-commitment point %s", got)
	}
	if got := channel.PubKeyOf(TweakPubKey(basePub, point)); got != key(t, "0235f2dbfaa89b57ec7b055afe29849ef7ddfeb1cefdb9ebdc43f5494984db29e5") {
		t.Errorf("localpubkey %s", got)
	}
	if got := TweakPrivKey(base, point).Serialize(); !bytes.Equal(got, unhex(t, "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f")) {
		t.Error("localprivkey differs")
	}
	if got := channel.PubKeyOf(RevocationPubKey(basePub, point)); got != key(t, "02916e326636d19c33f13e8c0c3a03dd157f332f3e99c317c141dd865eb01f8ff0") {
		t.Errorf("revocationpubkey %s", got)
	}
	if got := RevocationPrivKey(base, secret).Serialize(); !bytes.Equal(got, unhex(t, "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110")) {
		t.Error("revocationprivkey differs")
	}
	if !bytes.Equal(base.Serialize(), unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")) {
		t.Error("the base key was changed")
	}
}

// A Legacy commitment tweaks to_remote's key, which BOLT 3 gives as
// remote_htlcpubkey because the vectors use one basepoint for both.
func TestLegacyToRemoteIsTweaked(t *testing.T) {
	ch, ours, point := appendixC(t, channel.Legacy)
	c, err := BuildCommitment(ch, ours, &channel.Commitment{ToCountersignerSat: 1000}, 42, point)
	if err != nil {
		t.Fatal(err)
	}
	if got := channel.PubKeyOf(c.Keys.ToRemote); got != key(t, "0394854aa6eab5b2a8122cc726e9dded053a2184d88256816826d6231c068d4a5b") {
		t.Errorf("to_remote key %s", got)
	}
}

func TestSecretsOfBOLT3AppendixD(t *testing.T) {
	f := loadVectors(t)
	for _, v := range f.Generate {
		secret, ok := DeriveSecret(channel.Secret{Index: 0, Secret: [32]byte(unhex(t, v.Seed))}, v.Index)
		if !ok || hex.EncodeToString(secret[:]) != v.Secret {
			t.Errorf("%s: got %x, %v", v.Name, secret, ok)
		}
	}
	for _, v := range f.Store {
		t.Run(v.Name, func(t *testing.T) {
			var store []channel.Secret
			for i, in := range v.Inserts {
				revoked := channel.MaxShachainIndex - in.Index + 1
				s := channel.Secret{Index: in.Index, Secret: [32]byte(unhex(t, in.Secret))}
				if b := len(bucketIndexes(revoked)); b > len(store) {
					store = append(store, s)
				} else {
					for b := range store {
						if bucketIndexes(revoked)[b] == in.Index {
							store[b] = s
						}
					}
				}
				_, err := CheckSecrets(store, revoked)
				if (err == nil) != in.OK {
					t.Fatalf("after insert %d: %v, want ok=%v", i, err, in.OK)
				}
			}
		})
	}
}

// storeOf is the compact storage after the commitments 0 to revoked-1.
func storeOf(t *testing.T, producer *shachain.RevocationProducer, revoked uint64) []channel.Secret {
	t.Helper()
	var store []channel.Secret
	for _, index := range bucketIndexes(revoked) {
		secret, err := producer.AtIndex(channel.MaxShachainIndex - index)
		if err != nil {
			t.Fatal(err)
		}
		store = append(store, channel.Secret{Index: index, Secret: *secret})
	}
	return store
}

func TestStoredSecretsGiveEveryRevokedOneAndNoOther(t *testing.T) {
	producer := shachain.NewRevocationProducer(chainhash.Hash(sha256.Sum256([]byte("seed"))))
	for _, revoked := range []uint64{0, 1, 2, 3, 7, 8, 9, 100, 255, 256, 1000} {
		store := storeOf(t, producer, revoked)
		if _, err := CheckSecrets(store, revoked); err != nil {
			t.Fatalf("%d revoked: %v", revoked, err)
		}
		for n := range revoked + 3 {
			secret, ok := SecretAt(store, n)
			if ok != (n < revoked) {
				t.Fatalf("%d revoked: secret %d known: %v", revoked, n, ok)
			}
			want, err := producer.AtIndex(n)
			if err != nil {
				t.Fatal(err)
			}
			if ok && secret != *want {
				t.Fatalf("%d revoked: secret %d is wrong", revoked, n)
			}
		}
		if _, err := CheckSecrets(store, revoked+1); !errors.Is(err, ErrSecrets) {
			t.Errorf("%d revoked: one more was accepted: %v", revoked, err)
		}
	}
}

func TestAChangedSecretIsFoundOnceALaterOneDependsOnIt(t *testing.T) {
	producer := shachain.NewRevocationProducer(chainhash.Hash(sha256.Sum256([]byte("seed"))))
	// With 16 revoked, the last secret is the root of all buckets.
	store := storeOf(t, producer, 16)
	if n, err := CheckSecrets(store, 16); n != 5 || err != nil {
		t.Errorf("%d of 5 secrets compared, %v", n, err)
	}
	// With 7 revoked, no secret yields another.
	if n, err := CheckSecrets(storeOf(t, producer, 7), 7); n != 0 || err != nil {
		t.Errorf("%d secrets compared, %v", n, err)
	}
	for b := range store {
		bad := append([]channel.Secret(nil), store...)
		bad[b].Secret[5] ^= 4
		if _, err := CheckSecrets(bad, 16); !errors.Is(err, ErrSecrets) {
			t.Errorf("bucket %d changed: %v", b, err)
		}
		bad[b] = store[b]
		bad[b].Index++
		if _, err := CheckSecrets(bad, 16); !errors.Is(err, ErrSecrets) {
			t.Errorf("index of bucket %d changed: %v", b, err)
		}
	}
}

func TestCommitNumberRefusesWhatIsNoCommitment(t *testing.T) {
	lockTime, sequence := HideNumber(5, 0xabcdef012345)
	good := wire.MsgTx{LockTime: lockTime, TxIn: []*wire.TxIn{{Sequence: sequence}}}
	if n, err := CommitNumber(&good, 0xabcdef012345); err != nil || n != 5 {
		t.Fatalf("got %d, %v", n, err)
	}
	for name, tx := range map[string]wire.MsgTx{
		"mutual close":     {LockTime: 0, TxIn: []*wire.TxIn{{Sequence: 0xfffffffd}}},
		"wrong locktime":   {LockTime: lockTime | 1<<31, TxIn: []*wire.TxIn{{Sequence: sequence}}},
		"wrong sequence":   {LockTime: lockTime, TxIn: []*wire.TxIn{{Sequence: sequence | 1<<30}}},
		"two inputs":       {LockTime: lockTime, TxIn: []*wire.TxIn{{Sequence: sequence}, {Sequence: sequence}}},
		"no input at all":  {LockTime: lockTime},
		"locktime, no seq": {LockTime: lockTime, TxIn: []*wire.TxIn{{}}},
	} {
		if _, err := CommitNumber(&tx, 0xabcdef012345); !errors.Is(err, ErrNotCommitment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
