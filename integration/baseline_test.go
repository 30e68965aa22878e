package integration

import (
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// The reason for this project, measured without any of its code: Greenlight's
// own conversion, fed to lightningd's own recoverchannel.

func TestBaselineGreenlightsConversionBringsBackNeverUsedChannel(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.GLSigner)
	n := h.New(t)
	peer := n.CLN("peer", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{Signer: &h.Signer{Strategy: "new_channels_only"}})
	funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
	backup := node.GenuineBackup()
	node.Kill()

	heir := node.Heir("heir", h.CLNConfig{})
	heir.Start()
	stubs, err := heir.RecoverChannel(h.GLConvert(t, backup.Path, false))
	if err != nil || len(stubs) != 1 {
		t.Fatalf("recoverchannel: %v %v", stubs, err)
	}
	closing := n.WaitSpent(funding)
	n.Mine(1, heir)
	h.Wait(t, "the coin in the wallet", func() error { return heir.HasOutputOf(closing) })
	if got := heir.Received(closing); got < 990_000 || got > 1_000_000 {
		t.Errorf("%d sat came back of 1,000,000", got)
	}
}

func TestBaselineGreenlightsConversionBringsBackNothingOfUsedChannel(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.GLSigner)
	n := h.New(t)
	peer := n.CLN("peer", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{Signer: &h.Signer{}})
	funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
	n.Use(node, peer, funding, 1_000_000)
	backup := node.GenuineBackup()
	node.Kill()

	heir := node.Heir("heir", h.CLNConfig{})
	heir.Start()
	stubs, err := heir.RecoverChannel(h.GLConvert(t, backup.Path, false))
	if err != nil || len(stubs) != 1 {
		t.Fatalf("recoverchannel: %v %v", stubs, err)
	}
	// Most often the peer answers the stub's reestablish with a warning, hangs
	// up before it reads the stub's error, and never closes. Under load the
	// error can arrive first, and then it does.
	var closing string
	if err := h.Poll(10*time.Second, func() (err error) {
		closing, err = n.Bitcoind.Spender(funding)
		return err
	}); err == nil {
		t.Logf("the peer closed by itself")
	} else {
		t.Logf("the peer did not close within 10 s, as measured before; closing it by hand")
		closing = peer.ForceClose(funding)
	}
	// Even when the peer closes, onchaind gives up at the first output.
	n.Mine(1, heir, peer)
	heir.WaitState(funding, "FUNDING_SPEND_SEEN", "ONCHAIN")
	n.Mine(110, heir, peer)
	h.Holds(t, 3*time.Second, "nothing of it in the wallet", func() error { return heir.LacksOutputOf(closing) })
}
