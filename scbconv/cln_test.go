package scbconv_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/scbconv"
)

// What lightningd itself would have backed up, without its secrets and with the
// delay that the reader needs, is what From makes of the signer's backup.
func TestFromAgreesWithTheRealNodesOwnBackup(t *testing.T) {
	compared := 0
	for path, scbs := range nodeSCBs(t) {
		if filepath.Base(path) != "node.json" {
			continue
		}
		b := readBackup(t, filepath.Base(filepath.Dir(path)))
		for _, c := range b.Channels {
			for _, scb := range scbs {
				want, err := scbconv.DecodeHex(scb)
				if err != nil || want.DBID != c.DBID {
					continue
				}
				got, err := scbconv.From(c, want.Address)
				if err != nil {
					t.Fatal(err)
				}
				if *got.TLVs.Delay != c.HolderDelay || *want.TLVs.Delay != c.CounterpartyDelay {
					t.Errorf("%s: delay %d, the node wrote %d", path, *got.TLVs.Delay, *want.TLVs.Delay)
				}
				want.TLVs.Shachain, want.TLVs.Delay = got.TLVs.Shachain, got.TLVs.Delay
				g, err1 := got.EncodeHex()
				w, err2 := want.EncodeHex()
				if err1 != nil || err2 != nil || g != w {
					t.Errorf("%s: dbid %d:\n%s %v\nwant\n%s %v", path, c.DBID, g, err1, w, err2)
				}
				compared++
			}
		}
	}
	if compared < 18 {
		t.Errorf("only %d channels compared", compared)
	}
}

func TestTypesWithoutStaticRemoteKeyAreRefused(t *testing.T) {
	c := *readBackup(t, "fresh-outbound").Channels[0]
	for typ, want := range map[channel.Type]string{
		channel.StaticRemoteKey: "00021000", channel.Anchors: "0003101000", channel.AnchorsZeroFeeHTLC: "0003401000",
	} {
		c.Type = typ
		e, err := scbconv.From(&c, scbconv.Placeholder)
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.EncodeHex()
		if err != nil || !strings.HasPrefix(text[2*fixed:], want) {
			t.Errorf("%s: %s, %v", typ, text[2*fixed:], err)
		}
		if err := scbconv.Batch([]*scbconv.Entry{e})[0]; err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	for _, typ := range []channel.Type{channel.Legacy, 9} {
		c.Type = typ
		_, err := scbconv.From(&c, scbconv.Placeholder)
		if failure.NameOf(err) != failure.IncompleteChannel || !errors.Is(err, scbconv.ErrChannelType) {
			t.Errorf("%s: got %v", typ, err)
		}
	}
	c.Type = channel.AnchorsZeroFeeHTLC
	if _, err := scbconv.From(&c, scbconv.Address{}); !errors.Is(err, scbconv.ErrEntry) {
		t.Errorf("no address: got %v", err)
	}
}

func TestOneBadChannelAmongFiveLeavesFour(t *testing.T) {
	five := func() []*scbconv.Entry {
		var entries []*scbconv.Entry
		for _, c := range readBackup(t, "three-peers").Channels {
			e, err := scbconv.From(c, scbconv.Placeholder)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		return entries
	}
	for _, err := range scbconv.Batch(five()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for story, c := range map[string]struct {
		damage func(e, other *scbconv.Entry)
		bad    int
		want   string
	}{
		"dbid 0":              {func(e, _ *scbconv.Entry) { e.DBID = 0 }, 1, "dbid: 0 is not from 1 to 2147483647"},
		"dbid 2^31":           {func(e, _ *scbconv.Entry) { e.DBID = 1 << 31 }, 1, "dbid: 2147483648 is not"},
		"dbid 2^64-1":         {func(e, _ *scbconv.Entry) { e.DBID = 1<<64 - 1 }, 1, "dbid: 18446744073709551615 is not"},
		"a dbid twice":        {func(e, o *scbconv.Entry) { e.DBID = o.DBID }, 2, "dbid_conflict: "},
		"a funding twice":     {func(e, o *scbconv.Entry) { e.Funding = o.Funding }, 2, "funding: dbid"},
		"off the curve":       {func(e, _ *scbconv.Entry) { e.TLVs.Basepoints.Payment[32]++; e.TLVs.Basepoints.Payment[0] = 5 }, 1, "payment_basepoint: not a point on the curve"},
		"no basepoints":       {func(e, _ *scbconv.Entry) { e.TLVs.Basepoints = nil }, 1, "basepoints: missing"},
		"no records":          {func(e, _ *scbconv.Entry) { e.TLVs = nil }, 1, "basepoints: missing"},
		"no opener":           {func(e, _ *scbconv.Entry) { e.TLVs.Opener = nil }, 1, "opener: missing"},
		"no delay":            {func(e, _ *scbconv.Entry) { e.TLVs.Delay = nil }, 1, "remote_to_self_delay: missing"},
		"no funding":          {func(e, _ *scbconv.Entry) { e.Funding.Hash = [32]byte{} }, 1, "funding: the transaction id"},
		"vout 65536":          {func(e, _ *scbconv.Entry) { e.Funding.Index = 65536 }, 1, "funding: output 65536"},
		"no sat":              {func(e, _ *scbconv.Entry) { e.FundingSat = 0 }, 1, "funding_sats"},
		"more than 21M BTC":   {func(e, _ *scbconv.Entry) { e.FundingSat = 21e14 + 1 }, 1, "funding_sats"},
		"no static_remotekey": {func(e, _ *scbconv.Entry) { e.ChannelType = []byte{0x40, 0, 0} }, 1, "channel_type: commitment format"},
		"a taproot channel":   {func(e, _ *scbconv.Entry) { e.ChannelType = []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0} }, 1, "channel_type: feature bit 88"},
	} {
		entries := five()
		c.damage(entries[2], entries[4])
		errs := scbconv.Batch(entries)
		bad := 0
		for i, err := range errs {
			if err == nil {
				continue
			}
			bad++
			if i != 2 && i != 4 {
				t.Errorf("%s: entry %d: %v", story, i, err)
			}
			if text := strings.TrimPrefix(err.Error(), scbconv.ErrEntry.Error()+": "); !strings.HasPrefix(text, c.want) {
				t.Errorf("%s: %v, want %s", story, err, c.want)
			}
		}
		if bad != c.bad {
			t.Errorf("%s: %d errors, want %d", story, bad, c.bad)
		}
	}
}

func TestZeroConfAndAliasTypesMayBeImported(t *testing.T) {
	e, err := scbconv.From(readBackup(t, "fresh-outbound").Channels[0], scbconv.Placeholder)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range [][]byte{
		{0x40, 0, 0, 0x40, 0x10, 0}, {0x04, 0, 0, 0, 0x40, 0x10, 0}, {0x04, 0x40, 0, 0, 0x40, 0x10, 0}, {0, 0x50, 0x10, 0},
	} {
		e.ChannelType = typ
		if err := scbconv.Batch([]*scbconv.Entry{e})[0]; err != nil {
			t.Errorf("%x: %v", typ, err)
		}
	}
}
