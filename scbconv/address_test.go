package scbconv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/scbconv"
)

// A real onion address (of the Tor project's own site) and one of the corpus.
const (
	torProject = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
	corpusTor  = "oamiytq5lek3nxmuwpvnzix4psrl2x2ysu2ko7of7nxeij3szj5kseqd.onion"
)

func TestEachKindOfAddressIsReadAndWritten(t *testing.T) {
	for _, c := range []struct {
		text, canonical string
		kind            scbconv.Kind
		host            string
		port            uint16
	}{
		{"127.0.0.1:9735", "", scbconv.IPv4, "127.0.0.1", 9735},
		{"223.255.255.255:65535", "", scbconv.IPv4, "223.255.255.255", 65535},
		{"[::1]:52202", "", scbconv.IPv6, "::1", 52202},
		{"[2001:DB8:0:0::1]:1", "[2001:db8::1]:1", scbconv.IPv6, "2001:db8::1", 1},
		{"[::ffff:1.2.3.4]:9735", "", scbconv.IPv6, "::ffff:1.2.3.4", 9735},
		{"localhost:40877", "", scbconv.DNS, "localhost", 40877},
		{"Node-1.Example.com:9735", "", scbconv.DNS, "Node-1.Example.com", 9735},
		{"_ln.example:9735", "", scbconv.DNS, "_ln.example", 9735},
		{corpusTor + ":9735", "", scbconv.TorV3, corpusTor, 9735},
		{torProject + ":80", "", scbconv.TorV3, torProject, 80},
		{strings.ToUpper(torProject) + ":80", torProject + ":80", scbconv.TorV3, torProject, 80},
	} {
		a, err := scbconv.ParseAddress(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.canonical == "" {
			c.canonical = c.text
		}
		if a.String() != c.canonical || a.Kind() != c.kind || a.Host() != c.host || a.Port() != c.port {
			t.Errorf("%s: read as %s %s %s %d", c.text, a, a.Kind(), a.Host(), a.Port())
		}
		again, err := scbconv.ParseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%s: not the same when read again: %v", c.text, err)
		}
	}
}

func TestWhatNobodyCanDialIsNoAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	for text, want := range map[string]string{
		"":                                     "the port is missing",
		"example.com":                          "the port is missing",
		"example.com:":                         "the port",
		"example.com:0":                        "the port",
		"example.com:09735":                    "the port",
		"example.com:+9735":                    "the port",
		"example.com:65536":                    "the port",
		"example.com:9735 ":                    "the port",
		":9735":                                "a host name has",
		"::1:9735":                             "needs brackets",
		"fe80::1%eth0:9735":                    "needs brackets",
		"[fe80::1%eth0]:9735":                  "zone",
		"[1.2.3.4]:9735":                       "no IPv6 address",
		"[::1:9735":                            "no IPv6 address",
		"[example.com]:9735":                   "no IPv6 address",
		"1.2.3:9735":                           "neither an IP address",
		"1.2.3.256:9735":                       "neither an IP address",
		"127.0.0.01:9735":                      "neither an IP address",
		"2130706433:9735":                      "neither an IP address",
		"exa mple.com:9735":                    "only letters",
		"exämple.com:9735":                     "only letters",
		"a._b.com:9735":                        "only letters",
		"a\x00b.com:9735":                      "only letters",
		"-a.com:9735":                          "hyphen",
		"a-.com:9735":                          "hyphen",
		"a..com:9735":                          "a part is empty",
		"a.com.:9735":                          "a part is empty",
		long + ".com:9735":                     "too long",
		strings.Repeat("a.", 200) + "com:9735": "longer than",
		"expyuzz4wqqyqhjn.onion:9735":          "Tor v2",
		"abc.onion:9735":                       "56 letters",
		"a" + torProject[1:] + ":9735":         "wrong checksum",
		"1" + torProject[1:] + ":9735":         "only letters and the digits",
		torProject[:54] + "e.onion:9735":       "56 letters",
		torProject[:54] + "ac.onion:9735":      "another version",
		torProject[:40] + "\n" + torProject[41:] + ":9735": "only letters and the digits",
		"/tmp/socket":            "the port is missing",
		"0.0.0.0:9735":           "where a program listens",
		"[::ffff:0.0.0.0]:9735":  "where a program listens",
		"255.255.255.255:9735":   "broadcast",
		"240.0.0.1:9735":         "reserved",
		"224.0.0.1:9735":         "multicast",
		"[ff02::1]:9735":         "multicast",
		"[::ffff:224.0.0.1]:973": "multicast",
	} {
		a, err := scbconv.ParseAddress(text)
		if err == nil {
			t.Errorf("%q: read as %s", text, a)
			continue
		}
		if !errors.Is(err, scbconv.ErrAddress) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if !a.IsZero() {
			t.Errorf("%q: an error and an address", text)
		}
	}
}

func TestThePlaceholderStaysOnThisMachine(t *testing.T) {
	a, err := scbconv.ParseAddress("127.0.0.1:1")
	if err != nil || a != scbconv.Placeholder {
		t.Fatalf("the placeholder is %s", scbconv.Placeholder)
	}
}

func TestTheAddressIsTheUsersElseTheBackupsElseGossips(t *testing.T) {
	user, gossip := address(t, "user.example:1"), address(t, "gossip.example:3")
	backup := address(t, "backup.example:2")
	for _, c := range []struct {
		story  string
		known  scbconv.Candidates
		want   scbconv.Address
		source scbconv.Source
		bad    bool
	}{
		{"all known", scbconv.Candidates{user, "backup.example:2", false, []scbconv.Address{gossip}}, user, scbconv.FromParameter, false},
		{"no parameter", scbconv.Candidates{Backup: "backup.example:2", Gossip: []scbconv.Address{gossip}}, backup, scbconv.FromBackup, false},
		{"inbound", scbconv.Candidates{Backup: "backup.example:2", BackupInbound: true, Gossip: []scbconv.Address{gossip}}, gossip, scbconv.FromGossip, false},
		{"inbound, no gossip", scbconv.Candidates{Backup: "backup.example:2", BackupInbound: true}, address(t, "backup.example:9735"), scbconv.FromInbound, false},
		{"inbound from this machine", scbconv.Candidates{Backup: "127.0.0.1:40000", BackupInbound: true}, scbconv.Placeholder, scbconv.FromPlaceholder, false},
		{"unreadable", scbconv.Candidates{Backup: "backup", Gossip: []scbconv.Address{gossip}}, gossip, scbconv.FromGossip, true},
		{"user over an unreadable one", scbconv.Candidates{Parameter: user, Backup: "backup"}, user, scbconv.FromParameter, true},
		{"nothing", scbconv.Candidates{}, scbconv.Placeholder, scbconv.FromPlaceholder, false},
	} {
		got := scbconv.Choose(c.known)
		if got.Address != c.want || got.Source != c.source || (got.BackupError != nil) != c.bad {
			t.Errorf("%s: %+v", c.story, got)
		}
	}
	for source, want := range map[scbconv.Source]bool{
		scbconv.FromParameter: false, scbconv.FromBackup: false, scbconv.FromGossip: false,
		scbconv.FromInbound: true, scbconv.FromPlaceholder: true,
	} {
		if source.Guessed() != want {
			t.Errorf("%s: guessed %v", source, !want)
		}
	}
}

func address(t testing.TB, s string) scbconv.Address {
	t.Helper()
	a, err := scbconv.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"127.0.0.1:9735", "[::1]:1", "[::ffff:1.2.3.4]:65535", "localhost:40877", "_a.b-c.example:9",
		corpusTor + ":9735", "[fe80::1%1]:9735", "expyuzz4wqqyqhjn.onion:9735", "1.2.3:4", ":", "[]:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := scbconv.ParseAddress(s)
		if err != nil {
			if !errors.Is(err, scbconv.ErrAddress) || !a.IsZero() {
				t.Fatalf("%q: %v, %v", s, a, err)
			}
			return
		}
		again, err := scbconv.ParseAddress(a.String())
		if err != nil || again != a {
			t.Fatalf("%q became %q, which is %v, %v", s, a, again, err)
		}
		if !strings.EqualFold(s, a.String()) && a.Kind() != scbconv.IPv6 {
			t.Fatalf("%q became %q", s, a)
		}
	})
}
