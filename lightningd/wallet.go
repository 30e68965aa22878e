package lightningd

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// WalletOutput is one on-chain output of the wallet (listfunds).
type WalletOutput struct {
	// Txid is in display order.
	Txid         string `json:"txid"`
	Vout         uint32 `json:"output"`
	Amount       Msat   `json:"amount_msat"`
	Script       Hex    `json:"scriptpubkey"`
	Address      string `json:"address"`
	RedeemScript Hex    `json:"redeemscript"`
	// Status is confirmed, unconfirmed, immature or spent.
	Status string `json:"status"`
	// BlockHeight is 0 while unconfirmed.
	BlockHeight     uint32 `json:"blockheight"`
	Reserved        bool   `json:"reserved"`
	ReservedToBlock uint32 `json:"reserved_to_block"`
}

// Funds is listfunds.
type Funds struct {
	Outputs []WalletOutput `json:"outputs"`
}

type listfunds struct {
	Spent bool `json:"spent,omitempty"`
}

func (listfunds) Name() string { return "listfunds" }

// ListFunds calls listfunds; spent includes outputs that are spent.
func (c *Client) ListFunds(ctx context.Context, spent bool) (*Funds, error) {
	return get[Funds](ctx, c, listfunds{spent})
}

// ChainMove is one entry of listchainmoves: an output that came or went.
type ChainMove struct {
	// Account is "wallet", "external" or a channel id; Origin, where it is
	// given, is the account that paid.
	Account string `json:"account_id"`
	Origin  string `json:"originating_account"`
	Tag     string `json:"primary_tag"`
	// UTXO is "txid:vout"; SpendingTxid is what spent it, in display order, ""
	// where it came.
	UTXO         string `json:"utxo"`
	SpendingTxid string `json:"spending_txid"`
}

type listchainmoves struct{}

func (listchainmoves) Name() string { return "listchainmoves" }

// ListChainMoves calls listchainmoves (v25.09 and later).
func (c *Client) ListChainMoves(ctx context.Context) ([]ChainMove, error) {
	out, err := get[struct {
		Moves []ChainMove `json:"chainmoves"`
	}](ctx, c, listchainmoves{})
	if err != nil {
		return nil, err
	}
	return out.Moves, nil
}

// Transaction is one entry of listtransactions, as far as it is used.
type Transaction struct {
	// Hash is in display order.
	Hash    string `json:"hash"`
	Outputs []struct {
		Index uint32 `json:"index"`
	} `json:"outputs"`
}

type listtransactions struct{}

func (listtransactions) Name() string { return "listtransactions" }

// ListTransactions calls listtransactions: what pays to the wallet, and what
// lightningd sent or watches. Transactions of others are among them.
func (c *Client) ListTransactions(ctx context.Context) ([]Transaction, error) {
	out, err := get[struct {
		Transactions []Transaction `json:"transactions"`
	}](ctx, c, listtransactions{})
	if err != nil {
		return nil, err
	}
	return out.Transactions, nil
}

// Feerates are lightningd's estimates in sat per 1000 weight; 0 where it has
// none.
type Feerates struct {
	MinAcceptable   uint32 `json:"min_acceptable"`
	MaxAcceptable   uint32 `json:"max_acceptable"`
	Floor           uint32 `json:"floor"`
	Opening         uint32 `json:"opening"`
	UnilateralClose uint32 `json:"unilateral_close"`
	Penalty         uint32 `json:"penalty"`
	Estimates       []struct {
		Blocks  uint32 `json:"blockcount"`
		Feerate uint32 `json:"feerate"`
	} `json:"estimates"`
}

type feerates struct {
	Style string `json:"style"`
}

func (feerates) Name() string { return "feerates" }

// Feerates calls feerates in style perkw.
func (c *Client) Feerates(ctx context.Context) (*Feerates, error) {
	out, err := get[struct {
		PerKW Feerates `json:"perkw"`
	}](ctx, c, feerates{"perkw"})
	if err != nil {
		return nil, err
	}
	return &out.PerKW, nil
}

type parsefeerate struct {
	Feerate string `json:"feerate_str"`
}

func (parsefeerate) Name() string { return "parsefeerate" }

// ParseFeerate calls parsefeerate: what a feerate by CLN's text is now, in sat per
// 1000 weight; an error where there is no estimate.
func (c *Client) ParseFeerate(ctx context.Context, text string) (uint32, error) {
	out, err := get[struct {
		PerKW uint32 `json:"perkw"`
	}](ctx, c, parsefeerate{text})
	if err != nil {
		return 0, err
	}
	if out.PerKW == 0 {
		return 0, fmt.Errorf("lightningd: parsefeerate: no feerate %q", text)
	}
	return out.PerKW, nil
}

// NewAddress is a fresh address of the wallet in both forms; lightningd watches
// both.
type NewAddress struct {
	Bech32 string `json:"bech32"`
	P2TR   string `json:"p2tr"`
}

type newaddr struct {
	Type string `json:"addresstype"`
}

func (newaddr) Name() string { return "newaddr" }

// NewAddr calls newaddr for both types.
func (c *Client) NewAddr(ctx context.Context) (*NewAddress, error) {
	return get[NewAddress](ctx, c, newaddr{"all"})
}

// Reservation is one wallet output that a call reserved or released.
type Reservation struct {
	Txid            string `json:"txid"`
	Vout            uint32 `json:"vout"`
	WasReserved     bool   `json:"was_reserved"`
	Reserved        bool   `json:"reserved"`
	ReservedToBlock uint32 `json:"reserved_to_block"`
}

type reserveinputs struct {
	PSBT      string `json:"psbt"`
	Exclusive bool   `json:"exclusive"`
	Reserve   uint32 `json:"reserve,omitempty"`
}

func (reserveinputs) Name() string { return "reserveinputs" }

// ReserveInputs reserves the PSBT's wallet inputs for so many blocks (0: CLN's
// default). Exclusive fails where one is reserved already.
func (c *Client) ReserveInputs(ctx context.Context, psbt string, exclusive bool, blocks uint32) ([]Reservation, error) {
	return c.reservations(ctx, reserveinputs{psbt, exclusive, blocks})
}

type unreserveinputs struct {
	PSBT    string `json:"psbt"`
	Reserve uint32 `json:"reserve,omitempty"`
}

func (unreserveinputs) Name() string { return "unreserveinputs" }

// UnreserveInputs shortens the reservation of the PSBT's inputs by so many
// blocks (0: CLN's default).
func (c *Client) UnreserveInputs(ctx context.Context, psbt string, blocks uint32) ([]Reservation, error) {
	return c.reservations(ctx, unreserveinputs{psbt, blocks})
}

func (c *Client) reservations(ctx context.Context, m interface{ Name() string }) ([]Reservation, error) {
	out, err := get[struct {
		Reservations []Reservation `json:"reservations"`
	}](ctx, c, m)
	if err != nil {
		return nil, err
	}
	return out.Reservations, nil
}

type signpsbt struct {
	PSBT     string   `json:"psbt"`
	SignOnly []uint32 `json:"signonly,omitempty"`
}

func (signpsbt) Name() string { return "signpsbt" }

// SignPSBT signs the inputs of the given indexes, or all that it can.
func (c *Client) SignPSBT(ctx context.Context, psbt string, only ...uint32) (signed string, err error) {
	out, err := get[struct {
		Signed string `json:"signed_psbt"`
	}](ctx, c, signpsbt{psbt, only})
	if err != nil {
		return "", err
	}
	return out.Signed, nil
}

// Outpoint is the output's place; the error is for a txid that is no hash.
func (o *WalletOutput) Outpoint() (wire.OutPoint, error) {
	hash, err := chainhash.NewHashFromStr(o.Txid)
	if err != nil || len(o.Txid) != 2*chainhash.HashSize {
		return wire.OutPoint{}, fmt.Errorf("listfunds: txid is not a hash")
	}
	return wire.OutPoint{Hash: *hash, Index: o.Vout}, nil
}
