package scbconv_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
)

// fixed is the length of an entry with an IPv4 address up to its channel type.
const fixed = 8 + 32 + 33 + 7 + 36 + 8

// sample is a used channel's entry: IPv4, channel type 401000, all records.
func sample(t testing.TB) []byte {
	t.Helper()
	raw, err := hex.DecodeString(nodeSCBs(t)[testdata.Corpus("used-both-ways", "node.json")][0])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// splice replaces n bytes at an offset.
func splice(raw []byte, at, n int, with string) []byte {
	b, err := hex.DecodeString(with)
	if err != nil {
		panic(err)
	}
	return bytes.Join([][]byte{raw[:at], b, raw[at+n:]}, nil)
}

// records is splice within the records, with their length adjusted.
func records(raw []byte, at, n int, with string) []byte {
	out := splice(raw, at, n, with)
	binary.BigEndian.PutUint32(out[fixed+5:], uint32(len(out)-fixed-9))
	return out
}

func TestHostileEntriesAreRefusedByField(t *testing.T) {
	good := sample(t)
	if _, err := scbconv.Decode(good); err != nil {
		t.Fatal(err)
	}
	var (
		typ   = fixed         // u16 length of the channel type
		size  = fixed + 2 + 3 // u32 length of the records
		tlvs  = size + 4
		count = 5 // secrets in the sample
		sha   = tlvs + 2
		bases = sha + 12 + 40*count // type, length, keys
		open  = bases + 2 + 132
		delay = open + 3
		end   = delay + 4
	)
	if end != len(good) {
		t.Fatalf("the sample has %d bytes, not %d", len(good), end)
	}
	offCurve := "02" + strings.Repeat("00", 31) + "05" // x = 5 has no point
	for _, c := range []struct {
		story, field string
		raw          []byte
	}{
		{"nothing", "dbid: cut short", nil},
		{"a byte after the end", "tlvs: 1 bytes follow", append(bytes.Clone(good), 0)},
		{"node id off the curve", "node_id: not a point on the curve", splice(good, 40, 33, offCurve)},
		{"node id uncompressed", "node_id: not a point on the curve", splice(good, 40, 1, "04")},
		{"Tor v2", "addr: a Tor v2 address", splice(good, 73, 7, "03"+strings.Repeat("61", 10)+"2607")},
		{"address kind 0", "addr: unknown kind", splice(good, 73, 1, "00")},
		{"address kind 6", "addr: unknown kind", splice(good, 73, 1, "06")},
		{"port 0", "addr: port 0", splice(good, 78, 2, "0000")},
		{"DNS name without bytes", "addr: a host name", splice(good, 73, 7, "05002607")},
		{"DNS name with a NUL", "addr: not a host name", splice(good, 73, 7, "05036100612607")},
		{"DNS name that is an IP", "addr: neither an IP", splice(good, 73, 7, "0507312e312e312e312607")},
		{"DNS name that is an onion", "addr: an onion", splice(good, 73, 7, "0507"+hex.EncodeToString([]byte("a.onion"))+"2607")},
		{"Tor v3 with a wrong checksum", "addr: an onion address with a wrong checksum", splice(good, 73, 7, "04"+strings.Repeat("11", 34)+"032607")},
		{"Tor v3 of version 2", "addr: an onion address of another version", splice(good, 73, 7, "04"+strings.Repeat("11", 34)+"022607")},
		{"channel type of 65 bytes", "channel_type: 65 bytes", splice(good, typ, 5, "0041"+strings.Repeat("00", 65))},
		{"channel type longer than the rest", "channel_type: cut short", splice(good, typ, 2, "ffff")},
		{"records missing", "tlvs: cut short", good[:size]},
		{"records cut short", "tlvs: cut short", good[:len(good)-1]},
		{"half a length of the records", "tlvs: cut short", good[:size+2]},
		{"record type not minimal", "tlvs: record type", records(good, tlvs, 1, "fd0001")},
		{"record length not minimal", "tlvs: record length", records(good, open+1, 1, "fd0001")},
		{"record longer than the rest", "tlvs: record cut short", splice(good, delay+1, 1, "03")},
		{"record type 0", "tlvs: record types", splice(good, delay, 1, "00")},
		{"record twice", "tlvs: record types", splice(good, delay, 1, "05")},
		{"records out of order", "tlvs: record types", splice(good, delay, 1, "03")},
		{"unknown odd record", "tlvs: unknown record type", splice(good, delay, 1, "09")},
		{"unknown even record", "tlvs: unknown record type", splice(good, delay, 1, "08")},
		{"opener 2", "opener: neither", splice(good, open+2, 1, "02")},
		{"opener of no bytes", "opener: cut short", records(good, open+1, 2, "00")},
		{"delay of three bytes", "tlvs: record 7 is too long", records(good, delay+1, 3, "03000009")},
		{"htlc basepoint off the curve", "htlc_basepoint: not a point on the curve", splice(good, bases+2+66, 33, offCurve)},
		{"50 secrets", "shachain: 50 secrets", splice(good, sha+8+3, 1, "32")},
		{"more secrets than bytes", "shachain: cut short", splice(good, sha+8+3, 1, "06")},
		{"secret with index 2^48", "shachain: the index at position 0", splice(good, sha+12, 8, "0001000000000000")},
		{"secret in the wrong bucket", "shachain: the index at position 0", splice(good, sha+12, 8, "0000fffffffffffe")},
		{"wrong lowest index", "shachain: the lowest index", splice(good, sha, 8, "0000000000000000")},
	} {
		_, err := scbconv.Decode(c.raw)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", c.story)
		case !errors.Is(err, scbconv.ErrEntry):
			t.Errorf("%s: %v does not match ErrEntry", c.story, err)
		case !strings.HasPrefix(err.Error(), scbconv.ErrEntry.Error()+": "+c.field):
			t.Errorf("%s: %v, want %s", c.story, err, c.field)
		}
	}
}

func TestAnEntryCutAnywhereIsRefused(t *testing.T) {
	good := sample(t)
	for n := range good {
		if _, err := scbconv.Decode(good[:n]); err == nil {
			t.Errorf("accepted %d of %d bytes", n, len(good))
		}
	}
}

func TestOversizedInputIsRefusedUnread(t *testing.T) {
	if _, err := scbconv.DecodeHex(strings.Repeat("zz", scbconv.MaxSize+1)); err == nil || !strings.Contains(err.Error(), "length") {
		t.Errorf("text: %v", err)
	}
	if _, err := scbconv.Decode(make([]byte, scbconv.MaxSize+1)); err == nil || !strings.Contains(err.Error(), "length") {
		t.Errorf("bytes: %v", err)
	}
}

func TestTheEncoderRefusesWhatTheDecoderWould(t *testing.T) {
	for story, damage := range map[string]func(*scbconv.Entry){
		"no node id":           func(e *scbconv.Entry) { e.NodeID = [33]byte{} },
		"no address":           func(e *scbconv.Entry) { e.Address = scbconv.Address{} },
		"a channel type of 65": func(e *scbconv.Entry) { e.ChannelType = make([]byte, 65) },
		"no htlc basepoint":    func(e *scbconv.Entry) { e.TLVs.Basepoints.HTLC = [33]byte{} },
		"opener 2":             func(e *scbconv.Entry) { *e.TLVs.Opener = 2 },
		"secrets out of order": func(e *scbconv.Entry) {
			s := e.TLVs.Shachain.Secrets
			s[0], s[1] = s[1], s[0]
		},
		"a secret too many": func(e *scbconv.Entry) {
			e.TLVs.Shachain.Secrets = append(make([]channelSecret, 45), e.TLVs.Shachain.Secrets...)
		},
	} {
		e, err := scbconv.Decode(sample(t))
		if err != nil {
			t.Fatal(err)
		}
		damage(e)
		if _, err := e.Encode(); !errors.Is(err, scbconv.ErrEntry) {
			t.Errorf("%s: got %v", story, err)
		}
	}
}

func TestTheLargestEntryFitsTheLimit(t *testing.T) {
	e, err := scbconv.Decode(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	label := strings.Repeat("a", 63)
	if e.Address, err = scbconv.ParseAddress(strings.Join([]string{label, label, label, label}, ".") + ":65535"); err != nil {
		t.Fatal(err)
	}
	e.ChannelType = make([]byte, scbconv.MaxChannelTypeSize)
	e.TLVs.Shachain = fullShachain()
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != 2563 {
		t.Errorf("%d bytes, the documentation says 2,563", len(raw))
	}
	if _, err := scbconv.Decode(raw); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, scbs := range nodeSCBs(f) {
		for _, scb := range scbs {
			raw, _ := hex.DecodeString(scb)
			f.Add(raw)
		}
	}
	for _, scbs := range greenlightSCBs(f) {
		for _, scb := range scbs {
			raw, _ := hex.DecodeString(scb)
			f.Add(raw)
		}
	}
	good := sample(f)
	f.Add(splice(good[:fixed+5], 73, 0, "04"))
	f.Add(append(bytes.Clone(good[:fixed+5]), 0, 0, 0, 0))
	f.Add(splice(good, 73, 7, "05096c6f63616c686f73749fad"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := scbconv.Decode(raw)
		if err != nil {
			if !errors.Is(err, scbconv.ErrEntry) {
				t.Fatalf("%v does not match ErrEntry", err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x came back as %x, %v", raw, again, err)
		}
		scbconv.Batch([]*scbconv.Entry{e, e})
	})
}
