package scbconv_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

func readBackup(t testing.TB, name string) *vlsstate.Backup {
	t.Helper()
	b, err := vlsstate.ReadFile(filepath.Join(corpus, name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Problems) > 0 {
		t.Fatalf("%s: %v", name, b.Problems[0])
	}
	return b
}

func addresses(b *vlsstate.Backup) map[channel.PubKey]string {
	out := make(map[channel.PubKey]string)
	for id, p := range b.Peers {
		out[id] = p.Addr
	}
	return out
}

func TestGreenlightsOwnReportsByteForByte(t *testing.T) {
	for _, path := range files(t, "glclient-convert*.json") {
		name := filepath.Base(filepath.Dir(path))
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b := readBackup(t, name)
		skip := strings.HasSuffix(path, "-skip.json")
		var got bytes.Buffer
		report, err := scbconv.Greenlight(b.NodeID, b.Channels, addresses(b), skip)
		if refusal := new(scbconv.Refusal); errors.As(err, &refusal) {
			got.WriteString(refusal.Text + "\n")
		} else if err != nil {
			t.Fatal(err)
		} else {
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(report); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s (skip %t):\n%s\nwant\n%s", name, skip, &got, want)
		}
	}
}

func TestNothingToConvertIsGreenlightsRefusal(t *testing.T) {
	_, err := scbconv.Greenlight(channel.PubKey{}, nil, nil, true)
	if err == nil || err.Error() != "no complete recoverable channels available for recoverchannel export" {
		t.Fatalf("got %v", err)
	}
}

// The addresses that gl-client takes are more than ours; the bytes were read off
// its source (encode_wireaddr) and Rust's SocketAddr.
func TestGreenlightsAddressesAreTakenAsItTakesThem(t *testing.T) {
	b := readBackup(t, "fresh-outbound")
	onion := strings.Repeat("a", 56)
	for addr, want := range map[string]string{
		"127.0.0.1:9735":                "017f0000012607",
		"127.0.0.1:0":                   "017f0000010000",
		"127.0.0.1:+9735":               "05093132372e302e302e312607",
		"127.0.0.01:9735":               "050a3132372e302e302e30312607",
		"[::1]:09735":                   "02" + strings.Repeat("00", 15) + "012607",
		"[::ffff:1.2.3.4]:1":            "02" + strings.Repeat("00", 10) + "ffff010203040001",
		"[fe80::1%3]:1":                 "02fe80" + strings.Repeat("00", 13) + "010001",
		"a_b c:9735":                    "0505615f6220632607",
		onion + ".onion:9735":           "04" + strings.Repeat("00", 35) + "2607",
		"127.0.0.1":                     "peer address 127.0.0.1 is missing port",
		"127.0.0.1:65536":               "invalid peer address port in 127.0.0.1:65536",
		"127.0.0.1:++1":                 "invalid peer address port in 127.0.0.1:++1",
		"::1:9735":                      "IPv6 peer address ::1:9735 must use [addr]:port form",
		"[fe80::1%eth0]:1":              "IPv6 peer address [fe80::1%eth0]:1 must use [addr]:port form",
		"abc.onion:9735":                "invalid Tor v3 peer address abc.onion:9735",
		":9735":                         "DNS peer address host length is invalid in :9735",
		strings.Repeat("a", 256) + ":1": "DNS peer address host length is invalid in " + strings.Repeat("a", 256) + ":1",
	} {
		peer := b.Channels[0].Peer
		report, err := scbconv.Greenlight(b.NodeID, b.Channels, map[channel.PubKey]string{peer: addr}, false)
		if err != nil {
			prefix := "encoding recoverchannel SCB for " + scbconv.ChannelKey(b.NodeID, b.Channels[0].Key) + ": "
			if err.Error() != prefix+want {
				t.Errorf("%s: %v, want %s", addr, err, want)
			}
			continue
		}
		if got := report.Request.SCB[0][2*73:][:len(want)]; got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
		if rest := report.Request.SCB[0][2*73+len(want):]; !strings.HasPrefix(rest, hex.EncodeToString(b.Channels[0].Funding.Hash[:])) {
			t.Errorf("%s: the address has more bytes than expected", addr)
		}
	}
}

func TestGreenlightsOtherTypesAndWarnings(t *testing.T) {
	b := readBackup(t, "fresh-outbound")
	for typ, want := range map[channel.Type]string{
		channel.Legacy:             "0000" + "0000008d",
		channel.StaticRemoteKey:    "000400001000",
		channel.Anchors:            "000400101000",
		channel.AnchorsZeroFeeHTLC: "000400501000",
	} {
		c := *b.Channels[0]
		c.Type, c.State.NoSecretStorage = typ, true
		report, err := scbconv.Greenlight(b.NodeID, []*channel.Channel{&c}, addresses(b), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Request.SCB[0][2*fixed:]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", typ, got[:12], want)
		}
		if w := report.Channels[0].Warnings; len(w) != 1 || w[0] != "shachain_tlv_missing" {
			t.Errorf("%s: warnings %q", typ, w)
		}
	}
	for want, secrets := range map[string][]channel.Secret{
		"shachain has 50 entries, maximum is 49":                             make([]channel.Secret, 50),
		"invalid shachain index 281474976710656":                             {{Index: 1 << 48}},
		"shachain secret index 2 belongs at position 1, found at position 0": {{Index: 2}},
	} {
		c := *b.Channels[0]
		c.State.Secrets = secrets
		_, err := scbconv.Greenlight(b.NodeID, []*channel.Channel{&c}, addresses(b), false)
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
