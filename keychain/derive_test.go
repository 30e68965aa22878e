package keychain

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

func TestNodeIDsAreThoseOfTheRealNodes(t *testing.T) {
	for name, secret := range corpusCases(t) {
		var node struct{ ID string }
		readJSON(t, filepath.Join(corpus, name, "node.json"), &node)
		if got := nodeOf(t, secret); got != pubKey(t, node.ID) {
			t.Errorf("%s: node %s, want %s", name, got, node.ID)
		}
	}
}

type keyVector struct {
	Case   string
	DBID   uint64
	PeerID string            `json:"peer_id"`
	OurKey map[string]string `json:"our_keys"`
	Holder *struct {
		Number uint64 `json:"commitment_number"`
		Point  string `json:"per_commitment_point"`
	}
}

func TestChannelKeysAndPointsAreThoseOfTheVectors(t *testing.T) {
	secrets := corpusCases(t)
	paths, err := filepath.Glob(filepath.Join(corpus, "vectors", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var v keyVector
			readJSON(t, path, &v)
			keys, err := secrets[strings.Split(v.Case, ".")[0]].ChannelKeys(pubKey(t, v.PeerID), v.DBID)
			if err != nil {
				t.Fatal(err)
			}
			points := keys.Basepoints()
			for name, got := range map[string]channel.PubKey{
				"funding": points.Funding, "revocation": points.Revocation, "htlc": points.HTLC,
				"payment": points.Payment, "delayed": points.Delayed,
			} {
				if got != pubKey(t, v.OurKey[name]) {
					t.Errorf("%s key %s, want %s", name, got, v.OurKey[name])
				}
			}
			if keys.Funding().ID() != points.Funding || keys.Payment().ID() != points.Payment {
				t.Error("a signing key is not the public one")
			}
			if v.Holder == nil {
				return
			}
			got, err := keys.PerCommitmentPoint(v.Holder.Number)
			if err != nil || got != pubKey(t, v.Holder.Point) {
				t.Errorf("point of commitment %d: %s, %v, want %s", v.Holder.Number, got, err, v.Holder.Point)
			}
		})
	}
}

func someChannel(t *testing.T) *ChannelKeys {
	t.Helper()
	keys, err := secretOf(t, []byte(aboutSecret)).ChannelKeys(pubKey(t, hunterNode), 7)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTweakedKeysSignForTheirPublicKeys(t *testing.T) {
	keys := someChannel(t)
	theirs, theirPoint := btcec.PrivKeyFromBytes([]byte{31: 9})
	points := keys.Basepoints()
	digest := [32]byte{1, 2, 3}
	point := func(k channel.PubKey) *btcec.PublicKey {
		p, err := k.Point()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	delayed, err1 := keys.Delayed(theirPoint)
	htlc, err2 := keys.HTLC(theirPoint)
	payment, err3 := keys.TweakedPayment(theirPoint)
	revocation, err4 := keys.Revocation([32]byte(theirs.Serialize()))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  *Key
		want *btcec.PublicKey
	}{
		"funding":    {keys.Funding(), point(points.Funding)},
		"payment":    {keys.Payment(), point(points.Payment)},
		"delayed":    {delayed, bolt3.TweakPubKey(point(points.Delayed), theirPoint)},
		"htlc":       {htlc, bolt3.TweakPubKey(point(points.HTLC), theirPoint)},
		"legacy":     {payment, bolt3.TweakPubKey(point(points.Payment), theirPoint)},
		"revocation": {revocation, bolt3.RevocationPubKey(point(points.Revocation), theirPoint)},
	} {
		sig, err := c.key.Sign(digest)
		if err != nil || !c.key.PubKey().IsEqual(c.want) || !sig.Verify(digest[:], c.want) {
			t.Errorf("%s: the signature is not by the expected key (%v)", name, err)
		}
	}
	if _, err := keys.Revocation([32]byte{}); err == nil {
		t.Error("a secret of zeros was accepted")
	}
}

func TestBothSidesOfAnECDHAgree(t *testing.T) {
	a, err := secretOf(t, []byte(aboutSecret)).NodeKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newKey([]byte{31: 5})
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := a.ECDH(b.PubKey())
	two, err2 := b.ECDH(a.PubKey())
	if err := errors.Join(err1, err2); err != nil || one != two {
		t.Fatalf("shared secrets differ (%v)", err)
	}
	// BOLT 8's vector: initiator's ephemeral key and responder's static key.
	e, err := newKey(unhex(t, "1212121212121212121212121212121212121212121212121212121212121212"))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := pubKey(t, "028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7").Point()
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.ECDH(rs)
	if want := "1e2fb3c8fe8fb9f262f649f64d26ecf0f2c0a805a767cf02dc2d77a6ef1fdcc3"; err != nil || hex.EncodeToString(got[:]) != want {
		t.Errorf("BOLT 8 vector: %x, %v, want %s", got, err, want)
	}
}

func TestNoScalarIsMadeFromZeroOrTheGroupOrder(t *testing.T) {
	for _, raw := range [][]byte{
		make([]byte, 32),
		unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
		make([]byte, 31),
	} {
		if _, err := newKey(raw); err == nil {
			t.Errorf("%x became a key", raw)
		}
	}
}

func TestCommitNumbersBeyond48BitsHaveNoSecret(t *testing.T) {
	keys := someChannel(t)
	for _, n := range []uint64{1 << 48, math.MaxUint64} {
		if _, err := keys.PerCommitmentPoint(n); !errors.Is(err, ErrCommitNumber) {
			t.Errorf("commitment %d: %v", n, err)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	secret := secretOf(t, []byte(aboutSecret))
	node, err := secret.NodeKey()
	if err != nil {
		t.Fatal(err)
	}
	keys := someChannel(t)
	source := FromBytes([]byte(aboutSecret))
	type holder struct {
		secret *Secret
		Key    Key
		keys   ChannelKeys
		Source Source
	}
	// An unexported field is printed by reflection, past any method: there the
	// pointer has to be enough.
	hidden := struct {
		secret Secret
		key    Key
		keys   ChannelKeys
		source Source
	}{*secret, *node, *keys, *source}
	leaks := []string{
		aboutSecret, aboutSecret[:8], strings.ToUpper(aboutSecret[:8]), "[94 176 11", "0x5e, 0xb0", "5e b0 0b",
		node.priv.value.Key.String(), hex.EncodeToString(keys.shaSeed.value[:8]), "[53 101 98 48", // the text as bytes
	}
	for _, v := range []any{
		secret, *secret, node, *node, keys, *keys, source, *source,
		holder{secret, *node, *keys, *source},
		&holder{secret, *node, *keys, *source}, hidden, &hidden,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "% x"} {
			text := fmt.Sprintf(verb, v)
			for _, leak := range leaks {
				if strings.Contains(text, leak) {
					t.Errorf("%T with %s prints a secret", v, verb)
				}
			}
		}
	}
	for _, v := range []any{secret, *secret, node, *node, keys, *keys, source, *source, map[string]any{"s": secret}} {
		text, err := json.Marshal(v)
		if err != nil || !strings.Contains(string(text), redacted) {
			t.Errorf("%T as JSON: %.60s, %v", v, text, err)
		}
	}
}

func TestAWipedSecretDoesNothing(t *testing.T) {
	secret := secretOf(t, []byte(aboutSecret))
	seed := secret.seed.value
	node, err := secret.NodeKey()
	if err != nil {
		t.Fatal(err)
	}
	keys := someChannel(t)
	secret.Wipe()
	node.Wipe()
	keys.Wipe()
	if *seed != [seedSize]byte{} {
		t.Error("the bytes are still there")
	}
	_, err1 := secret.NodeKey()
	_, err2 := secret.ChannelKeys(channel.PubKey{}, 1)
	_, err3 := secret.StateKey()
	_, err4 := secret.Wallet("bitcoin")
	_, _, err5 := secret.Reveal()
	err6 := secret.WriteFile(filepath.Join(t.TempDir(), "hsm_secret"))
	_, err7 := node.Sign([32]byte{})
	_, err8 := node.ECDH(node.PubKey())
	_, err9 := keys.PerCommitmentSecret(0)
	_, err10 := keys.HTLC(node.PubKey())
	_, err11 := keys.Revocation([32]byte{1})
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11} {
		if !errors.Is(err, ErrWiped) {
			t.Errorf("use %d of something wiped: %v", i+1, err)
		}
	}
	// Wiping twice, or what never was, is harmless.
	secret.Wipe()
	(*Secret)(nil).Wipe()
	(*ChannelKeys)(nil).Wipe()
}
