package scbconv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
)

const (
	peerA = "02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723"
	peerB = "03caaab4955bea390820860a447922bf6ac13a9963917e5137f910e1bb42d9dd66"
)

func nodeID(t testing.TB, s string) channel.PubKey {
	t.Helper()
	id, err := channel.ParsePubKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnAddressIsReadAsPeopleHaveIt(t *testing.T) {
	for text, want := range map[string]string{
		"example.com:9735":                  "example.com:9735",
		" example.com:19735\n":              "example.com:19735",
		"example.com":                       "example.com:9735",
		"192.0.2.1":                         "192.0.2.1:9735",
		"[2001:db8::1]":                     "[2001:db8::1]:9735",
		"[2001:db8::1]:1":                   "[2001:db8::1]:1",
		torProject:                          torProject + ":9735",
		"tcp://example.com:9735":            "example.com:9735",
		"Example.COM":                       "example.com:9735",
		"example.com.:9735":                 "example.com:9735",
		"TCP://192.0.2.1/":                  "192.0.2.1:9735",
		"tcp://" + peerA + "@example.com:9": "example.com:9",
		"lightning://" + peerA + "@192.0.2.1:9735/": "192.0.2.1:9735",
		peerA + "@example.com":                      "example.com:9735",
		strings.ToUpper(peerA) + "@example.com":     "example.com:9735",
		peerA + "@tcp://example.com:9735":           "example.com:9735",
		peerA + " @ [2001:db8::1]":                  "[2001:db8::1]:9735",
	} {
		a, err := scbconv.ReadAddress(text, nodeID(t, peerA))
		if err != nil || a.String() != want {
			t.Errorf("%q: %s, %v, want %s", text, a, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                        "the port is missing",
		"example.com:":            "the port",
		"0.0.0.0:9735":            "say where a program listens",
		"0.0.0.0":                 "say where a program listens",
		"[::]:9735":               "say where a program listens",
		"[::ffff:0.0.0.0]:9735":   "say where a program listens",
		"2001:db8::1":             "needs brackets",
		peerB + "@example.com":    "the address of another node, " + peerB,
		"alice@example.com":       "not a node id",
		"http://example.com:9735": "needs brackets",
	} {
		a, err := scbconv.ReadAddress(text, nodeID(t, peerA))
		if !errors.Is(err, scbconv.ErrAddress) || !strings.Contains(err.Error(), want) || !a.IsZero() {
			t.Errorf("%q: %s, %v, want %q", text, a, err, want)
		}
	}
}

func TestAListOfAddressesIsReadAsPeopleHaveIt(t *testing.T) {
	for _, list := range []string{
		peerA + "=example.com:9735," + peerB + "=192.0.2.1:9735",
		peerA + "@example.com:9735, " + peerB + "@192.0.2.1:9735,",
		peerA + "@example.com\n" + peerB + "@192.0.2.1\n",
		"tcp://" + peerA + "@example.com;" + peerB + "=" + peerB + "@192.0.2.1",
	} {
		got, err := scbconv.ReadPeerAddresses(list)
		if err != nil || len(got) != 2 || got[nodeID(t, peerA)].String() != "example.com:9735" || got[nodeID(t, peerB)].String() != "192.0.2.1:9735" {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for list, want := range map[string]string{
		"":                 "no address",
		" , ":              "no address",
		"example.com:9735": "NODE_ID@HOST:PORT",
		peerA:              "NODE_ID@HOST:PORT",
		peerA + "@a.example," + peerA + "@b.example": "two addresses for one peer",
		peerA[2:] + "@example.com":                   "",
	} {
		if got, err := scbconv.ReadPeerAddresses(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", list, got, err, want)
		}
	}
}

// A list of the candidates is what is tried, one after the other.
func TestEveryAddressThatIsKnownIsACandidate(t *testing.T) {
	user, gossip := address(t, "user.example:1"), address(t, "gossip.example:3")
	for _, c := range []struct {
		story string
		known scbconv.Candidates
		want  string
	}{
		{"all", scbconv.Candidates{user, "192.0.2.1:40000", true, []scbconv.Address{gossip, user}}, "user.example:1 parameter, gossip.example:3 gossip, 192.0.2.1:9735 inbound_host"},
		{"inbound alone", scbconv.Candidates{Backup: "[2001:db8::1]:40000", BackupInbound: true}, "[2001:db8::1]:9735 inbound_host"},
		{"through Tor", scbconv.Candidates{Backup: "127.0.0.1:40000", BackupInbound: true}, ""},
		{"outbound", scbconv.Candidates{Backup: "127.0.0.1:40000", Gossip: []scbconv.Address{gossip}}, "127.0.0.1:40000 backup, gossip.example:3 gossip"},
	} {
		list, err := c.known.All()
		var got []string
		for _, l := range list {
			got = append(got, l.Address.String()+" "+string(l.Source))
		}
		if s := strings.Join(got, ", "); s != c.want || err != nil {
			t.Errorf("%s: %s (%v), want %s", c.story, s, err, c.want)
		}
	}
}

func FuzzPeerAddresses(f *testing.F) {
	for _, s := range []string{
		peerA + "=example.com:9735," + peerB + "=192.0.2.1:9735", "tcp://" + peerA + "@[::1]", peerA + "@" + torProject,
		peerA + "@0.0.0.0", "@", "=", ",;\n", peerA + "=" + peerA + "@x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got, err := scbconv.ReadPeerAddresses(list)
		if err != nil {
			return
		}
		// What was read is the same when it is written plainly.
		var plain []string
		for peer, a := range got {
			plain = append(plain, peer.String()+"="+a.String())
		}
		again, err := scbconv.ReadPeerAddresses(strings.Join(plain, ","))
		if err != nil || len(again) != len(got) {
			t.Fatalf("%q became %q: %v", list, plain, err)
		}
		for peer, a := range got {
			if again[peer] != a {
				t.Fatalf("%q became %q", list, plain)
			}
		}
	})
}
