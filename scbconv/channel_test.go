package scbconv_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/scbconv"
)

// What a real node backed up of its own channels says of each what the signer's
// backup says, as far as an SCB goes.
func TestTheNodesOwnBackupMakesTheSignersChannel(t *testing.T) {
	compared := 0
	for path, scbs := range nodeSCBs(t) {
		if filepath.Base(path) != "node.json" {
			continue
		}
		b := readBackup(t, filepath.Base(filepath.Dir(path)))
		for _, scb := range scbs {
			e, err := scbconv.DecodeHex(scb)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range b.Channels {
				if c.DBID != e.DBID {
					continue
				}
				got, err := e.Channel()
				if err != nil {
					t.Errorf("%s: %v", path, err)
					continue
				}
				want := channel.Channel{
					Key: c.Key, Funding: c.Funding, CapacitySat: c.CapacitySat, Opener: c.Opener, Type: c.Type,
					Remote: c.Remote, HolderDelay: c.CounterpartyDelay, CounterpartyDelay: c.CounterpartyDelay,
				}
				want.Remote.Funding = channel.PubKey{}
				if got.Key != want.Key || got.Funding != want.Funding || got.CapacitySat != want.CapacitySat || got.Opener != want.Opener ||
					got.Type != want.Type || got.Remote != want.Remote || got.HolderDelay != want.HolderDelay || got.CounterpartyDelay != want.CounterpartyDelay {
					t.Errorf("%s: %+v, want %+v", path, got, want)
				}
				if len(got.State.Secrets) > 0 || got.Used() {
					t.Errorf("%s: an SCB has no state", path)
				}
				compared++
			}
		}
	}
	if compared < 10 {
		t.Errorf("%d channels were compared", compared)
	}
}

func TestEntriesThatMakeNoChannelAreRefused(t *testing.T) {
	good := func() *scbconv.Entry {
		e, err := scbconv.From(readBackup(t, "used-both-ways").Channels[0], scbconv.Placeholder)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if _, err := good().Channel(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(e *scbconv.Entry){
		"a dbid that lightningd cuts off":      func(e *scbconv.Entry) { e.DBID = 1 << 31 },
		"the id of a dual-funded channel":      func(e *scbconv.Entry) { e.ChannelID[0] ^= 1 },
		"the older form":                       func(e *scbconv.Entry) { e.TLVs = nil },
		"no basepoints":                        func(e *scbconv.Entry) { e.TLVs.Basepoints = nil },
		"no delay":                             func(e *scbconv.Entry) { e.TLVs.Delay = nil },
		"no opener":                            func(e *scbconv.Entry) { e.TLVs.Opener = nil },
		"a channel type that changes the keys": func(e *scbconv.Entry) { e.ChannelType = []byte{0} },
		"a point off the curve":                func(e *scbconv.Entry) { e.TLVs.Basepoints.Payment[1] ^= 1; e.TLVs.Basepoints.Payment[0] = 5 },
	} {
		e := good()
		change(e)
		c, err := e.Channel()
		if err == nil || c != nil {
			t.Errorf("%s: %+v", what, c)
		}
		if !errors.Is(err, scbconv.ErrEntry) && failure.NameOf(err) == "" {
			t.Errorf("%s: the error %v matches nothing", what, err)
		}
	}
	for text, want := range map[string]channel.Type{
		"\x10\x00": channel.StaticRemoteKey, "\x10\x10\x00": channel.Anchors, "\x40\x10\x00": channel.AnchorsZeroFeeHTLC,
		"\x00\x50\x10\x00": channel.AnchorsZeroFeeHTLC, "\x40\x00\x00\x40\x10\x00": channel.AnchorsZeroFeeHTLC,
	} {
		e := good()
		e.ChannelType = []byte(text)
		if c, err := e.Channel(); err != nil || c.Type != want {
			t.Errorf("type %x: %v, want %s (%v)", text, c, want, err)
		}
	}
}
