package scbconv_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/scbconv"
)

// sentinelOf is TLV 1 of the corpus channel fresh-outbound, made by hand: 52
// bytes: index 2^48-1-2^30, one secret, its index again, and
// SHA-256("glrecover scb sentinel v1" || peer id || dbid u64 BE || channel id).
const sentinelOf = "0134" + "0000ffffbfffffff" + "00000001" + "0000ffffbfffffff" +
	"839261845edd9c4e8454280dde755d0e4a5fe28c082dc04ddb14e40221f1ba83"

// TestEveryEntryForLightningdHasTheSentinelAndNoneOfThePeersSecrets: without it
// onchaind knows commitments 0 and 1, with the secrets all that are revoked.
func TestEveryEntryForLightningdHasTheSentinelAndNoneOfThePeersSecrets(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"fresh-outbound", "used-both-ways", "three-peers", "static-remotekey", "htlc-in-flight"} {
		for _, c := range readBackup(t, name).Channels {
			e, err := scbconv.From(c, scbconv.Placeholder)
			if err != nil {
				t.Fatal(err)
			}
			text, err := e.EncodeHex()
			if err != nil {
				t.Fatal(err)
			}
			back, err := scbconv.DecodeHex(text)
			if err != nil {
				t.Fatalf("%s/%d: %v", name, c.DBID, err)
			}
			s := back.TLVs.Shachain
			if !s.Sentinel() || len(s.Secrets) != 1 || s.Secrets[0].Index != 1<<48-1-1<<30 || s.Secrets[0].Index%2 != 1 {
				t.Fatalf("%s/%d: TLV 1 %+v", name, c.DBID, s)
			}
			for _, secret := range c.State.Secrets {
				if strings.Contains(text, hex.EncodeToString(secret.Secret[:])) {
					t.Errorf("%s/%d: a secret of the peer's is in the entry", name, c.DBID)
				}
			}
			key := hex.EncodeToString(s.Secrets[0].Secret[:])
			if other, twice := seen[key]; twice {
				t.Errorf("%s/%d and %s have one secret", name, c.DBID, other)
			}
			seen[key] = name
			again, err := scbconv.From(c, scbconv.Placeholder)
			if err != nil {
				t.Fatal(err)
			}
			if twice, err := again.EncodeHex(); err != nil || twice != text {
				t.Errorf("%s/%d: the second conversion differs: %v", name, c.DBID, err)
			}
		}
	}
	e, err := scbconv.From(readBackup(t, "fresh-outbound").Channels[0], scbconv.Placeholder)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := e.EncodeHex(); err != nil || !strings.Contains(text, sentinelOf) {
		t.Errorf("%s, %v: want TLV 1 %s", text, err, sentinelOf)
	}
}

// TestALightningdsOwnEntryHasNoSentinel: it counts what the peer has revoked.
func TestALightningdsOwnEntryHasNoSentinel(t *testing.T) {
	for path, scbs := range nodeSCBs(t) {
		for _, scb := range scbs {
			if e, err := scbconv.DecodeHex(scb); err != nil || e.TLVs.Shachain.Sentinel() {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if (*scbconv.Shachain)(nil).Sentinel() {
		t.Error("no record is none")
	}
}
