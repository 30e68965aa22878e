package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/lightningnetwork/lnd/lnwire"

	"github.com/glrecover/glrecover/channel"
)

func FuzzParse(f *testing.F) {
	for _, m := range []lnwire.Message{
		lnwire.NewInitMessage(lnwire.NewRawFeatureVector(), ourFeatures()),
		reestablish(chanA, 7, 6), zeroReestablish(chanA, theirKey.PubKey()),
		errorFor(chanA, "no"), warningFor(channel.ID{}, "hm"), lnwire.NewPing(3), lnwire.NewPong(make([]byte, 3)),
		&lnwire.Shutdown{ChannelID: lnwire.ChannelID(chanA), Address: bytes.Repeat([]byte{1}, 22)},
	} {
		f.Add(must(encode(m)))
	}
	f.Add(peerStorage(3, []byte{1, 2, 3}))
	f.Add(peerStorage(0, nil))
	f.Add(peerStorage(65535, []byte{1}))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := parse(payload)
		if err != nil {
			if !errors.Is(err, errGarbage) {
				t.Errorf("error of another kind: %v", err)
			}
			if in.reestablish != nil || in.said != nil || in.storage != nil {
				t.Error("a result besides an error")
			}
			return
		}
		kind := binary.BigEndian.Uint16(payload)
		switch {
		case in.reestablish != nil:
			if kind != uint16(lnwire.MsgChannelReestablish) || !bytes.Equal(in.reestablish.Channel[:], payload[2:34]) ||
				in.reestablish.NextCommitment != binary.BigEndian.Uint64(payload[34:]) ||
				in.reestablish.NextRevocation != binary.BigEndian.Uint64(payload[42:]) {
				t.Errorf("read %v", in.reestablish)
			}
		case in.storage != nil:
			if kind != msgPeerStorageRetrieval || len(in.storage) > MaxPeerStorage || !bytes.HasPrefix(payload[4:], in.storage) {
				t.Errorf("storage of %d bytes", len(in.storage))
			}
		case in.said != nil:
			if len(in.said.Text) > maxText || strings.ContainsFunc(in.said.Text, unprintable) {
				t.Errorf("text: %q", in.said.Text)
			}
		}
		(&Heard{}).note(in)
	})
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("bad reestablish revocation_number: 0 vs 7\x00"))
	f.Add([]byte("\x1b[2J\xff\xfe"))
	f.Add(bytes.Repeat([]byte("é"), 300))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := printable(data)
		if len(s) > maxText || strings.ContainsFunc(s, unprintable) {
			t.Errorf("%q", s)
		}
		data = bytes.TrimRight(data, "\x00")
		if len(data) <= maxText && !bytes.ContainsFunc(data, unprintable) && s != string(data) {
			t.Errorf("changed %q to %q", data, s)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:9735", "[2001:db8::1]:1", "node.example.com:9735", onionHost + ":9735", "[::ffff:1.2.3.4]:1", "host:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if !errors.Is(err, ErrAddress) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		again, err := ParseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%q: %v, again %v, %v", s, a, again, err)
		}
	})
}

func TestPrintableKeepsWordsAndDropsTheRest(t *testing.T) {
	for in, want := range map[string]string{
		"plain":             "plain",
		"ends with NUL\x00": "ends with NUL",
		"a\x00\x00\nb":      "a?b",
		"\xc3\xa9t\xc3\xa9": "?t?",
		"":                  "",
	} {
		if got := printable([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := printable(bytes.Repeat([]byte("x"), 401)); len(got) != maxText || !strings.HasSuffix(got, "x...") {
		t.Errorf("%d bytes, %q", len(got), got[len(got)-8:])
	}
	if got := printable(bytes.Repeat([]byte("x"), 400)); got != strings.Repeat("x", 400) {
		t.Errorf("cut at the limit: %d", len(got))
	}
}
