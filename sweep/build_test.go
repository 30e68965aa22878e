package sweep_test

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/sweeptest"
)

// closedCell is one cell whose close is in a block.
func closedCell(t *testing.T, closed, htlc string, typ channel.Type) (*matrix, *cell) {
	t.Helper()
	m := newMatrix(t, newMemoryChain(t))
	c := m.add(channel.Local, closed, htlc, typ)
	script := must(bolt3.FundingPkScript(c.Ours.Basepoints().Funding, c.Theirs.Basepoints().Funding))
	c.Channel.Funding = m.chain.fund([]*wire.TxOut{wire.NewTxOut(sweeptest.CapacitySat, script)})[0]
	c.State(m.a, m.chain.height()+sweeptest.ExpiresIn)
	m.block(c.Tx)
	return m, c
}

// give gives the wallet confirmed coins.
func (m *matrix) give(sats ...int64) {
	var outs []*wire.TxOut
	for _, sat := range sats {
		outs = append(outs, wire.NewTxOut(sat, m.wallet.PkScript()))
	}
	for i, op := range m.chain.fund(outs) {
		m.wallet.Put(op, uint64(sats[i]))
	}
}

func (m *matrix) order(c *cell, claims ...sweep.Claim) sweep.Order {
	return sweep.Order{
		Claims: claims, Destination: c.dest, Network: &chaincfg.RegressionNetParams, FeeratePerKW: sweeptest.FeePerKW,
		Wallet: m.wallet, Change: must(addressOf(m.wallet.PkScript())),
	}
}

// claimOn finds the claim with a path.
func claimOn(t *testing.T, c *cell, path onchain.Path) sweep.Claim {
	t.Helper()
	claims := c.claims(t)
	at := slices.IndexFunc(claims, func(c sweep.Claim) bool { return c.Output.Path == path })
	if at < 0 {
		t.Fatalf("no claim by %s", path)
	}
	return claims[at]
}

func build(t *testing.T, m *matrix, o sweep.Order) *sweep.Tx {
	t.Helper()
	tx, err := sweep.Build(t.Context(), m.keys, o)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestTheSameOrderGivesTheSameTransaction(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	claims := c.claims(t)
	first := build(t, m, m.order(c, claims...))
	slices.Reverse(claims)
	if second := build(t, m, m.order(c, claims...)); hexOf(first.Tx) != hexOf(second.Tx) {
		t.Error("the order of the claims makes a difference")
	}
	m, c = closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	m.give(9_000, 30_000, 4_000)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	first = build(t, m, o)
	if err := sweep.Release(t.Context(), m.wallet, first.WalletInputs); err != nil || m.wallet.Reserved() != 0 {
		t.Fatalf("%d coins are reserved after the release, %v", m.wallet.Reserved(), err)
	}
	if second := build(t, m, o); hexOf(first.Tx) != hexOf(second.Tx) {
		t.Error("an HTLC transaction differs")
	}
}

func TestASweepIsRaisedWithTheSameInputs(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	o := m.order(c, c.claims(t)...)
	first := build(t, m, o)
	o.Replaces, o.Destination, o.FeeratePerKW = first.Tx, "", sweeptest.FeePerKW+100
	second := build(t, m, o)
	if second.Destination != c.dest || len(second.Tx.TxIn) != len(first.Tx.TxIn) {
		t.Fatalf("pays to %s with %d inputs", second.Destination, len(second.Tx.TxIn))
	}
	for i, in := range second.Tx.TxIn {
		if in.PreviousOutPoint != first.Tx.TxIn[i].PreviousOutPoint {
			t.Errorf("input %d differs", i)
		}
	}
	// BIP 125: the old fee, and the relay of its own size at least.
	if second.Paid.FeeSat < first.Paid.FeeSat+second.Paid.VSize {
		t.Errorf("%d sat after %d sat", second.Paid.FeeSat, first.Paid.FeeSat)
	}
	o.Replaces = second.Tx
	o.FeeratePerKW = second.Paid.FeeratePerKW()
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrFeeSufficient) {
		t.Errorf("the same feerate: %v", err)
	}
	o.FeeratePerKW *= 2
	o.Replaces = first.Tx.Copy()
	o.Replaces.TxIn[0].PreviousOutPoint.Index += 7
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrNotOurSweep) {
		t.Errorf("another transaction: %v", err)
	}
	o.Claims = o.Claims[:1]
	o.Replaces = first.Tx
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrNotOurSweep) {
		t.Errorf("fewer claims: %v", err)
	}
}

func TestAnHTLCTransactionIsRaisedAndGivenUp(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	m.give(3_100)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	first := build(t, m, o)
	if first.Destination != "" || len(first.WalletInputs) == 0 || m.wallet.Reserved() != len(first.WalletInputs) {
		t.Fatalf("%+v, %d reserved", first, m.wallet.Reserved())
	}
	if got := int64(first.Paid.FeeSat); got < int64(first.Paid.VSize)*10 {
		t.Errorf("pays %d sat for %d vB", got, first.Paid.VSize)
	}
	m.give(3_000)
	o.Replaces, o.FeeratePerKW = first.Tx, 3_000
	second := build(t, m, o)
	for i, op := range first.WalletInputs {
		if second.WalletInputs[i] != op {
			t.Errorf("wallet input %d differs", i)
		}
	}
	if len(second.WalletInputs) <= len(first.WalletInputs) || second.Paid.FeeSat < first.Paid.FeeSat+second.Paid.VSize {
		t.Errorf("inputs %v, fee %d after %d", second.WalletInputs, second.Paid.FeeSat, first.Paid.FeeSat)
	}
	o.Replaces, o.FeeratePerKW = second.Tx, second.Paid.FeeratePerKW()
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrFeeSufficient) {
		t.Errorf("the same feerate: %v", err)
	}
	o.FeeratePerKW *= 2
	other := second.Tx.Copy()
	other.TxOut[0].Value--
	o.Replaces = other
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrNotOurSweep) {
		t.Errorf("another transaction: %v", err)
	}
	o.Replaces = second.Tx
	m.wallet.Take(second.WalletInputs[0])
	var gone *sweep.InputsSpentError
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &gone) || len(gone.Inputs) != 1 {
		t.Errorf("a spent coin: %v", err)
	}
	if err := sweep.Release(t.Context(), m.wallet, second.WalletInputs[1:]); err != nil || m.wallet.Reserved() != 0 {
		t.Errorf("%d coins are reserved after the release, %v", m.wallet.Reserved(), err)
	}
}

func TestAnHTLCTransactionWithoutAnchorsHasItsFee(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.StaticRemoteKey)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	o.Wallet, o.Change, o.Destination = nil, "", ""
	tx := build(t, m, o)
	if want := bolt3.HTLCWeight(channel.StaticRemoteKey, true) * sweeptest.HTLCFeerate / 1000; tx.Paid.FeeSat != want || len(tx.Tx.TxIn) != 1 || len(tx.Tx.TxOut) != 1 {
		t.Errorf("%+v, want a fee of %d", tx, want)
	}
	o.Replaces, o.FeeratePerKW = tx.Tx, 50_000
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrFeeFixed) {
		t.Errorf("%v", err)
	}
}

// With a legacy fee the wallet pays only where the stored fee is too low.
func TestALegacyFeeIsTakenAsItIsStored(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.Anchors)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	o.FeeratePerKW = sweeptest.HTLCFeerate - 100
	if tx := build(t, m, o); len(tx.WalletInputs) != 0 || len(tx.Tx.TxOut) != 1 {
		t.Errorf("%+v", tx)
	}
	m.give(20_000)
	o.FeeratePerKW = 3 * sweeptest.HTLCFeerate
	tx := build(t, m, o)
	if len(tx.WalletInputs) != 1 || !tx.Paid.Reaches(o.FeeratePerKW) {
		t.Errorf("%+v", tx)
	}
	// The replacement of one without wallet inputs has some.
	bare := build(t, m, sweep.Order{Claims: o.Claims, Network: o.Network, FeeratePerKW: 300})
	if err := sweep.Release(t.Context(), m.wallet, tx.WalletInputs); err != nil {
		t.Fatal(err)
	}
	o.Replaces = bare.Tx
	if tx := build(t, m, o); len(tx.WalletInputs) != 1 || tx.Paid.FeeSat <= bare.Paid.FeeSat {
		t.Errorf("%+v", tx)
	}
}

func TestFeesAreCapped(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.NoHTLC, channel.AnchorsZeroFeeHTLC)
	o := m.order(c, claimOn(t, c, onchain.PathPayment))
	value := o.Claims[0].Output.ValueSat
	o.FeeratePerKW = 200_000
	var dear *sweep.UneconomicError
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &dear) || dear.MaxFeeSat != value/10 || dear.SatPerVB() != 800 {
		t.Errorf("%v, most %d", err, value/10)
	}
	o.MaxFeePercent = 50
	if tx := build(t, m, o); tx.Paid.FeeSat <= value/10 || tx.Paid.FeeSat > value/2 {
		t.Errorf("%+v", tx.Paid)
	}

	// A penalty goes out with what it may pay.
	m, c = closedCell(t, sweeptest.Revoked, sweeptest.NoHTLC, channel.AnchorsZeroFeeHTLC)
	o = m.order(c, claimOn(t, c, onchain.PathPenalty))
	o.FeeratePerKW = 4_000_000
	value = o.Claims[0].Output.ValueSat
	if tx := build(t, m, o); tx.Paid.FeeSat != value*90/100 || tx.OutputSat != value-tx.Paid.FeeSat {
		t.Errorf("pays %d of %d", tx.Paid.FeeSat, value)
	}
	// But not with what no node relays, and not for dust.
	o.Claims[0].Output.ValueSat = 150
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &dear) {
		t.Errorf("%v", err)
	}
	o.Claims[0].Output.ValueSat = 400
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &dear) || dear.MaxFeeSat != 400-294 {
		t.Errorf("%v", err)
	}
}

func TestAnHTLCIsUrgentNearItsDeadline(t *testing.T) {
	_, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	claim := claimOn(t, c, onchain.PathSuccess)
	expiry := claim.Output.HTLC.CLTVExpiry
	if claim.Deadline != expiry+1 || !claim.Urgent(expiry) || !claim.Urgent(expiry-35) || claim.Urgent(expiry-36) {
		t.Errorf("deadline %d, expiry %d", claim.Deadline, expiry)
	}
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	m.give(2_000_000)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	o.FeeratePerKW = 900_000
	var dear *sweep.UneconomicError
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &dear) || dear.MaxFeeSat != sweeptest.HTLCSat/10 {
		t.Errorf("%v", err)
	}
	o.Height = o.Claims[0].Deadline - 2
	if tx := build(t, m, o); tx.Paid.FeeSat > sweeptest.HTLCSat*9/10 || tx.Paid.FeeSat < sweeptest.HTLCSat*8/10 {
		t.Errorf("pays %d of %d", tx.Paid.FeeSat, sweeptest.HTLCSat)
	}
}

func TestAnOutputThatCostsTooMuchIsNamed(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.NoHTLC, channel.AnchorsZeroFeeHTLC)
	big := claimOn(t, c, onchain.PathPayment)
	small := big
	small.Output.OutPoint.Index += 10
	small.Output.ValueSat = 900
	tx := build(t, m, m.order(c, small, big))
	if len(tx.Claims) != 1 || tx.Claims[0].Output.OutPoint != big.Output.OutPoint || len(tx.Uneconomic) != 1 {
		t.Fatalf("%d claims, %d left out", len(tx.Claims), len(tx.Uneconomic))
	}
	left := tx.Uneconomic[0]
	if left.Claim.Output.OutPoint != small.Output.OutPoint || left.Err.MaxFeeSat != 90 || !strings.HasPrefix(left.Err.Error(), "uneconomic_at 10 sat/vB") {
		t.Errorf("%+v: %v", left.Claim.Output.OutPoint, left.Err)
	}
	var dear *sweep.UneconomicError
	if _, err := sweep.Build(t.Context(), m.keys, m.order(c, small)); !errors.As(err, &dear) {
		t.Errorf("alone: %v", err)
	}
}

func TestClaimsThatMakeNoTransaction(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.StaticRemoteKey)
	htlc, local := claimOn(t, c, onchain.PathSuccess), claimOn(t, c, onchain.PathDelayed)
	funding := local
	funding.Output.OutPoint = c.Channel.Funding
	for name, claims := range map[string][]sweep.Claim{
		"none": nil, "one twice": {local, local}, "HTLC transaction with another": {htlc, local}, "the funding output": {funding},
		"made by hand": {{Output: local.Output}},
	} {
		if _, err := sweep.Build(t.Context(), m.keys, m.order(c, claims...)); !errors.Is(err, sweep.ErrClaims) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var early *sweep.NotReadyError
	o := m.order(c, local)
	o.Height = local.From - 2
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &early) || early.From != local.From || early.Needs != "" {
		t.Errorf("too early: %v", err)
	}
	o.Height++
	build(t, m, o)
	_, c = closedCell(t, sweeptest.OursCurrent, sweeptest.UnknownHTLC, channel.StaticRemoteKey)
	if _, err := sweep.Build(t.Context(), m.keys, m.order(c, claimOn(t, c, onchain.PathSuccess))); !errors.As(err, &early) || early.Needs != sweep.NeedPreimage {
		t.Errorf("no preimage: %v", err)
	}
}

// wrongKeys signs with the key of another use.
type wrongKeys struct{ sweep.Keys }

func (k wrongKeys) Signer(use sweep.KeyUse) (sweep.Signer, error) {
	use.Channel.DBID++
	return k.Keys.Signer(use)
}

func TestNothingLeavesThatTheScriptEngineRefuses(t *testing.T) {
	for _, tt := range []struct {
		closed, htlc string
		path         onchain.Path
	}{
		{sweeptest.TheirsCurrent, sweeptest.NoHTLC, onchain.PathPayment},
		{sweeptest.TheirsCurrent, sweeptest.KnownHTLC, onchain.PathSuccess},
		{sweeptest.TheirsCurrent, sweeptest.SentHTLC, onchain.PathTimeout},
		{sweeptest.Revoked, sweeptest.NoHTLC, onchain.PathPenalty},
		{sweeptest.OursCurrent, sweeptest.NoHTLC, onchain.PathDelayed},
		{sweeptest.OursCurrent, sweeptest.SentHTLC, onchain.PathTimeout},
	} {
		for _, typ := range sweeptest.Types {
			m, c := closedCell(t, tt.closed, tt.htlc, typ)
			m.give(30_000)
			o := m.order(c, claimOn(t, c, tt.path))
			if tx, err := sweep.Build(t.Context(), wrongKeys{m.keys}, o); !errors.Is(err, sweep.ErrSelfCheck) || tx != nil {
				t.Errorf("%s, %s, %s: %v", tt.closed, tt.path, typ, err)
			}
			if m.wallet.Reserved() != 0 {
				t.Errorf("%s, %s, %s: a coin stays reserved", tt.closed, tt.path, typ)
			}
		}
	}
	// The peer's signature is damaged, or its preimage is not one.
	for _, typ := range sweeptest.Types {
		m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, typ)
		m.give(30_000)
		sig := c.Channel.State.HolderSigs.HTLCs[0]
		sig[len(sig)-1] ^= 1
		o := m.order(c, claimOn(t, c, onchain.PathSuccess))
		if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrSelfCheck) || m.wallet.Reserved() != 0 {
			t.Errorf("%s: %v, %d reserved", typ, err, m.wallet.Reserved())
		}
	}
}

func TestALackingFeeInputIsAskedForExactly(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	o := m.order(c, claimOn(t, c, onchain.PathSuccess))
	for _, w := range []sweep.Wallet{nil, m.wallet} {
		o.Wallet = w
		var lacks *sweep.NeedsFeeInputError
		if _, err := sweep.Build(t.Context(), m.keys, o); !errors.As(err, &lacks) || lacks.Address != o.Change || lacks.AmountSat == 0 {
			t.Fatalf("%v", err)
		}
		if w != nil {
			m.give(int64(lacks.AmountSat))
			if tx := build(t, m, o); !tx.Paid.Reaches(o.FeeratePerKW) {
				t.Errorf("%+v", tx.Paid)
			}
		}
	}
	o.Change, o.Destination = "", must(btcutil.NewAddressScriptHashFromHash(make([]byte, 20), o.Network)).EncodeAddress()
	if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrDestination) {
		t.Errorf("change to P2SH: %v", err)
	}
}

func TestAnyAddressOfTheNetworkIsADestination(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.NoHTLC, channel.AnchorsZeroFeeHTLC)
	o := m.order(c, claimOn(t, c, onchain.PathPayment))
	net := &chaincfg.RegressionNetParams
	for _, address := range []btcutil.Address{
		must(btcutil.NewAddressPubKeyHash(make([]byte, 20), net)), must(btcutil.NewAddressScriptHashFromHash(make([]byte, 20), net)),
		must(btcutil.NewAddressWitnessPubKeyHash(make([]byte, 20), net)), must(btcutil.NewAddressWitnessScriptHash(make([]byte, 32), net)),
		must(btcutil.NewAddressTaproot(make([]byte, 32), net)),
	} {
		o.Destination = address.EncodeAddress()
		if tx := build(t, m, o); must(addressOf(tx.Tx.TxOut[0].PkScript)) != o.Destination || tx.Destination != o.Destination {
			t.Errorf("%s", o.Destination)
		}
	}
	typed := must(btcutil.NewAddressTaproot(make([]byte, 32), net)).EncodeAddress()
	old := must(btcutil.NewAddressPubKeyHash(make([]byte, 20), net)).EncodeAddress()
	for bad, why := range map[string]string{
		"": "", "hello": "", c.Channel.Peer.String(): "",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "but of another",
		typed[:len(typed)-1]:                         "a character of it is wrong or missing",
		typed[:20] + typed[21:]:                      "a character of it is wrong or missing",
		typed + "b":                                  "a character of it is wrong or missing",
		old[:len(old)-1] + "z":                       "a character of it is wrong or missing",
		strings.ToUpper(typed[:9]):                   "a character of it is wrong or missing",
	} {
		o.Destination = bad
		if _, err := sweep.Build(t.Context(), m.keys, o); !errors.Is(err, sweep.ErrAddress) || !strings.HasSuffix(err.Error(), cmp.Or(why, "of this network")) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestLightningdTakesWhatItsWalletCanSpend(t *testing.T) {
	for _, closed := range []string{sweeptest.TheirsCurrent, sweeptest.Mutual} {
		m, c := closedCell(t, closed, sweeptest.NoHTLC, channel.AnchorsZeroFeeHTLC)
		c.claims(t) // classified
		in := sweep.Case{Channel: c.Channel, Keys: c.Public, Close: c.close, Height: c.height, LightningdTakes: true}
		claims, err := sweep.Claims(in)
		if err != nil || len(claims) != 1 || claims[0].Needs != sweep.NeedLightningd || len(sweep.Batches(claims, 1_000)) != 0 {
			t.Errorf("%s: %+v, %v", closed, claims, err)
		}
		in.LightningdTakes, in.Height = false, 0
		if claims, err = sweep.Claims(in); err != nil || len(claims) != 1 || claims[0].From != 0 || len(sweep.Batches(claims, 1_000)) != 0 {
			t.Errorf("%s, unconfirmed: %+v, %v", closed, claims, err)
		}
		_ = m
	}
}

func TestBatchesHurryFirstAndKeepContestedOutputsApart(t *testing.T) {
	_, c := closedCell(t, sweeptest.Revoked, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)
	batches := sweep.Batches(c.claims(t), c.height+20)
	var paths []string
	for _, b := range batches {
		for _, claim := range b {
			paths = append(paths, string(claim.Output.Path))
		}
	}
	if len(batches) != 3 || !reflect.DeepEqual(paths, []string{"penalty", "penalty", "payment_key"}) {
		t.Errorf("%d batches: %v", len(batches), paths)
	}
	if early := sweep.Batches(c.claims(t), c.height-1); len(early) != 2 {
		t.Errorf("to_remote has to wait for a block: %d batches", len(early))
	}
}

func TestPreimagesNeverPrint(t *testing.T) {
	p := sweep.NewPreimages(sweeptest.Preimage)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		if got := fmt.Sprintf(verb, p); got != "[1 preimages]" {
			t.Errorf("%s: %s", verb, got)
		}
	}
	_, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	claim := claimOn(t, c, onchain.PathSuccess)
	_, c = closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	second := claimOn(t, c, onchain.PathSuccess)
	_, c = closedCell(t, sweeptest.Revoked, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	penalty := claimOn(t, c, onchain.PathPenalty)
	secret := must(c.Theirs.PerCommitmentSecret(4))
	for _, v := range []any{claim, &claim, second, &second, penalty, []sweep.Claim{claim, second, penalty}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			text := fmt.Sprintf(verb, v)
			for _, leak := range []string{"4217", "66 23", "0x42, 0x17", fmt.Sprintf("%x", secret[:4]), strings.Trim(fmt.Sprintf("%d", secret[:3]), "[]")} {
				if strings.Contains(text, leak) {
					t.Errorf("%s prints %q", verb, leak)
				}
			}
		}
	}
}

func TestARevokedCommitmentWithoutItsSecretIsNamed(t *testing.T) {
	_, c := closedCell(t, sweeptest.Revoked, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)
	c.Channel.State.Secrets = nil
	c.Public.PeerPoints = []channel.PubKey{c.Point}
	c.Channel.State.NextCounterpartyCommitNum = 3 // as in an older backup
	c.Channel.State.NextCounterpartyRevokeNum = 5 // but known to be revoked
	needs := map[sweep.Need]uint64{}
	for _, claim := range c.claims(t) {
		needs[claim.Needs] += claim.Output.ValueSat
	}
	// to_remote and the HTLC that we sent are claimed as on any commitment.
	if c.close.Kind != onchain.TheirsRevoked || needs[sweep.NeedSecret] != sweeptest.CapacitySat-sweeptest.OurSat || needs[""] != sweeptest.OurSat-sweeptest.CommitFee-c.Anchors() {
		t.Errorf("%s: %v", c.close.Kind, needs)
	}
}

// The peer's signatures belong to one transaction: another of the same number
// is not taken for it.
func TestSignaturesOfAnotherCommitmentAreNotUsed(t *testing.T) {
	_, c := closedCell(t, sweeptest.OursCurrent, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)
	other := *c.Channel.State.HolderCommit
	other.ToBroadcasterSat++
	c.Channel.State.HolderCommit = &other
	if claim := claimOn(t, c, onchain.PathTimeout); claim.Needs != sweep.NeedPeerSignature {
		t.Errorf("needs %q", claim.Needs)
	}
	_, c = closedCell(t, sweeptest.OursCurrent, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)
	c.Channel.State.HolderSigs.HTLCs = nil
	if claim := claimOn(t, c, onchain.PathTimeout); claim.Needs != sweep.NeedPeerSignature {
		t.Errorf("without signatures: needs %q", claim.Needs)
	}
}

func TestAWalletSignatureThatLeavesTheTransactionOpenIsRefused(t *testing.T) {
	m, c := closedCell(t, sweeptest.OursCurrent, sweeptest.KnownHTLC, channel.AnchorsZeroFeeHTLC)
	m.give(30_000)
	m.wallet.SignAnyoneCanPay()
	if _, err := sweep.Build(t.Context(), m.keys, m.order(c, claimOn(t, c, onchain.PathSuccess))); !errors.Is(err, sweep.ErrSelfCheck) || m.wallet.Reserved() != 0 {
		t.Errorf("%v, %d reserved", err, m.wallet.Reserved())
	}
}

// The oldest channels tweak to_remote's key with the point.
func TestToRemoteOfALegacyChannelIsClaimed(t *testing.T) {
	m, c := closedCell(t, sweeptest.TheirsCurrent, sweeptest.KnownHTLC, channel.Legacy)
	for _, batch := range sweep.Batches(c.claims(t), m.chain.height()) {
		if err := m.chain.send(build(t, m, m.order(c, batch...)).Tx); err != nil {
			t.Error(err)
		}
	}
	m.block()
	if left := c.claims(t); len(left) != 0 || c.got < sweeptest.OurSat+sweeptest.HTLCSat-sweeptest.CommitFee-3_000 {
		t.Errorf("%d sat came, %d claims are left", c.got, len(left))
	}
}

func TestFeeratesRiseBeforeADeadline(t *testing.T) {
	penalty := sweep.Claim{Deadline: 1_000, Output: onchain.Output{Path: onchain.PathPenalty}}
	sent := sweep.Claim{Deadline: 900, Output: onchain.Output{Path: onchain.PathTimeout}}
	calm := sweep.Claim{Output: onchain.Output{Path: onchain.PathPayment}}
	for _, tt := range []struct {
		claims []sweep.Claim
		height uint32
		want   uint32
	}{
		{[]sweep.Claim{penalty}, 500, 300},
		{[]sweep.Claim{penalty}, 963, 300},
		{[]sweep.Claim{penalty}, 969, 600},
		{[]sweep.Claim{penalty}, 981, 2_400},
		{[]sweep.Claim{penalty}, 998, 300 << 5},
		{[]sweep.Claim{penalty}, 999, 300 << 6},
		{[]sweep.Claim{penalty}, 5_000, 300 << 6},
		{[]sweep.Claim{sent, calm}, 950, 300},
		{[]sweep.Claim{calm, penalty}, 969, 600},
		{nil, 969, 300},
	} {
		if got := sweep.Feerate(tt.claims, tt.height, 300); got != tt.want {
			t.Errorf("%d claims at %d: %d, want %d", len(tt.claims), tt.height, got, tt.want)
		}
	}
	if got := sweep.Feerate([]sweep.Claim{penalty}, 2_000, 1<<31); got != 1<<32-1 {
		t.Errorf("%d", got)
	}
}
