package clnwallet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/lightningd"
)

// script plays lightningd's answers.
type script struct {
	funds   string
	list    []lightningd.Reservation
	address lightningd.NewAddress
	err     error
	calls   []string
}

func (s *script) ListFunds(_ context.Context, spent bool) (*lightningd.Funds, error) {
	if spent {
		s.calls = append(s.calls, "spent")
	}
	if s.err != nil {
		return nil, s.err
	}
	var f lightningd.Funds
	if err := json.Unmarshal([]byte(s.funds), &f); err != nil {
		return nil, err
	}
	return &f, nil
}

func (s *script) ReserveInputs(context.Context, string, bool, uint32) ([]lightningd.Reservation, error) {
	return s.list, s.err
}

func (s *script) UnreserveInputs(context.Context, string, uint32) ([]lightningd.Reservation, error) {
	return nil, s.err
}

func (s *script) SignPSBT(_ context.Context, psbt string, only ...uint32) (string, error) {
	if len(only) == 0 {
		s.calls = append(s.calls, "everything is signed")
	}
	return psbt, s.err
}

func (s *script) NewAddr(context.Context) (*lightningd.NewAddress, error) { return &s.address, s.err }

const txid = "000000000000000000000000000000000000000000000000000000000000ff01"

func TestCoinsAreWhatListfundsSays(t *testing.T) {
	s := &script{funds: `{"outputs":[
		{"txid":"` + txid + `","output":1,"amount_msat":5000999,"scriptpubkey":"0014aa","status":"confirmed","reserved":true},
		{"txid":"` + txid + `","output":2,"amount_msat":7000000,"scriptpubkey":"5120bb","status":"unconfirmed","reserved":false},
		{"txid":"` + txid + `","output":3,"amount_msat":7000000,"scriptpubkey":"5120bb","status":"immature","reserved":false},
		{"txid":"` + txid + `","output":4,"amount_msat":7000000,"scriptpubkey":"5120bb","status":"spent","reserved":false},
		{"txid":"` + txid + `","output":5,"amount_msat":7000000,"scriptpubkey":"a914cc","redeemscript":"0014dd","status":"confirmed","reserved":false}]}`}
	coins, err := New(s).Coins(t.Context())
	if err != nil || len(coins) != 3 || len(s.calls) != 0 {
		t.Fatalf("%v, %v, %v", coins, err, s.calls)
	}
	first := coins[0]
	if first.OutPoint.String() != txid+":1" || first.ValueSat != 5_000 || !slices.Equal(first.PkScript, []byte{0, 0x14, 0xaa}) || !first.Confirmed || !first.Reserved {
		t.Errorf("%+v", first)
	}
	for _, c := range coins[1:] {
		if c.Confirmed || c.Reserved {
			t.Errorf("%+v", c)
		}
	}
	s.funds = strings.ReplaceAll(s.funds, txid, "beef")
	if _, err := New(s).Coins(t.Context()); err == nil {
		t.Error("a txid of two bytes was accepted")
	}
}

func TestOnlyWhatWasReservedCounts(t *testing.T) {
	s := &script{list: []lightningd.Reservation{{Txid: txid, Vout: 1, Reserved: true}, {Txid: txid, Vout: 2, WasReserved: true}}}
	got, err := New(s).Reserve(t.Context(), "", true, 1)
	if err != nil || len(got) != 1 || got[0].String() != txid+":1" {
		t.Errorf("%v, %v", got, err)
	}
	s.list[1].Txid = "x"
	if _, err := New(s).Reserve(t.Context(), "", true, 1); err == nil {
		t.Error("a bad txid was accepted")
	}
	if got, err := New(&script{}).Reserve(t.Context(), "", true, 1); err != nil || !slices.Equal(got, []wire.OutPoint(nil)) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnAddressIsTaprootWhereThereIsOne(t *testing.T) {
	for _, a := range []lightningd.NewAddress{{P2TR: "want", Bech32: "other"}, {Bech32: "want"}} {
		if got, err := New(&script{address: a}).NewAddress(t.Context()); err != nil || got != "want" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestTheClientsErrorsPass(t *testing.T) {
	want := errors.New("no answer")
	w := New(&script{err: want})
	_, err1 := w.Coins(t.Context())
	_, err2 := w.Reserve(t.Context(), "", true, 1)
	err3 := w.Release(t.Context(), "", 1)
	_, err4 := w.Sign(t.Context(), "", []uint32{1})
	_, err5 := w.NewAddress(t.Context())
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, want) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}
