package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/rescue"
)

// TestTroubleWithTheChainIsPrintedWhereThereIsNoBar: once, and once when it is over.
func TestTroubleWithTheChainIsPrintedWhereThereIsNoBar(t *testing.T) {
	var out bytes.Buffer
	v := newRescueView(&cli{stdout: &out}, false)
	for _, c := range []rescue.Chain{
		{Height: 1}, {Height: 1, Trouble: "no answer"}, {Height: 1, Left: 3, Trouble: "no answer"}, {Height: 2}, {Height: 3},
	} {
		v.event(rescue.Event{Event: "chain", Chain: &c})
	}
	text := out.String()
	if strings.Count(text, "\n") != 2 || strings.Count(text, "the chain: no answer") != 1 || !strings.HasSuffix(text, "the chain answers again\n") {
		t.Errorf("printed: %q", text)
	}
	if v.err != nil {
		t.Error(v.err)
	}
}

// TestThePlanNamesTheLostNodesOwnCoins, each with its amount, or says why nobody looked.
func TestThePlanNamesTheLostNodesOwnCoins(t *testing.T) {
	a := &answer.Answer{OldWallet: &find.OldWallet{Looked: true, Coins: []find.OldCoin{
		{OutPoint: "aa:0", AmountMsat: 1_234_000, Type: "p2tr", Index: 3, Height: 100}, {OutPoint: "bb:1", AmountMsat: 1_000_000, Type: "p2wpkh", Index: 4, Height: 101},
	}}}
	text := planText(a)
	for _, want := range []string{"2,234 sat in 2 coins", "aa:0  1,234 sat", "bb:1  1,000 sat", "docs/rescue.md", "sweep --wallet"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	a.OldWallet = &find.OldWallet{Reason: "nobody can be asked"}
	if text := planText(a); !strings.Contains(text, "nobody can be asked") {
		t.Errorf("why nobody looked is missing in:\n%s", text)
	}
}

// TestThePlanTellsTwoPeersChannelsApart: two peers say that a channel is theirs.
func TestThePlanTellsTwoPeersChannelsApart(t *testing.T) {
	id := channel.ID{7}
	a := &answer.Answer{}
	for n, source := range map[byte]backup.Source{1: backup.FromReestablish, 2: backup.FromChain} {
		a.Extra = append(a.Extra, answer.Extra{PeerID: channel.PubKey{2, n}, ChannelID: id, Source: source})
		a.Channels = append(a.Channels, answer.Channel{Description: backup.Description{PeerID: channel.PubKey{2, n}, ChannelID: id.String()}})
	}
	text := planText(a)
	for _, want := range []backup.Source{backup.FromReestablish, backup.FromChain} {
		if strings.Count(text, "known from "+string(want)) != 1 {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
}
