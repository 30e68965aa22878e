package vlsstate

import (
	"bytes"
	"path/filepath"
	"testing"
)

// Values of a channel's entry, as far as it matters whether it is recoverable.
const (
	stub  = `{"channel_setup":null}`
	ready = `{"channel_setup":{"funding_outpoint":{"txid":"00","vout":0}}}`
)

func ch(name string, version uint64, value string) Entry {
	return Entry{Key: "channels/" + name, Version: version, Value: []byte(value)}
}

func gone(name string) Entry {
	return Entry{Key: "channels/" + name, Version: TombstoneVersion, Value: []byte("null")}
}

func TestTombstonesAreLeftOutOfAGenuineFile(t *testing.T) {
	path := filepath.Join(corpus, "force-closed", "backup.json")
	b := parsed(t, path)
	b.Entries = append(Entries{gone("deleted")}, b.Entries...)
	got, err := Encode(b)
	if err != nil || !bytes.Equal(got, load(t, path)) {
		t.Errorf("other bytes (%v)", err)
	}
}

func signed(e Entry, sig byte) Entry {
	e.Signature = bytes.Repeat([]byte{sig}, SignatureSize)
	return e
}
