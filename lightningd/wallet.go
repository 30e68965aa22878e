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

// FundsChannel is one channel in listfunds. Stubs have an OurAmount of 0.
type FundsChannel struct {
	State         string     `json:"state"`
	ID            *ChannelID `json:"channel_id"`
	OurAmount     Msat       `json:"our_amount_msat"`
	Amount        Msat       `json:"amount_msat"`
	FundingTxid   string     `json:"funding_txid"`
	FundingOutnum uint32     `json:"funding_output"`
}

// Funds is listfunds.
type Funds struct {
	Outputs  []WalletOutput `json:"outputs"`
	Channels []FundsChannel `json:"channels"`
}

type listfunds struct {
	Spent bool `json:"spent,omitempty"`
}

func (listfunds) Name() string { return "listfunds" }

// ListFunds calls listfunds; spent includes outputs that are spent.
func (c *Client) ListFunds(ctx context.Context, spent bool) (*Funds, error) {
	return get[Funds](ctx, c, listfunds{spent})
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

// FundedPSBT is the answer to fundpsbt and utxopsbt.
type FundedPSBT struct {
	// PSBT is base64.
	PSBT string `json:"psbt"`
	// FeeratePerKW is in sat per 1000 weight.
	FeeratePerKW         uint32        `json:"feerate_per_kw"`
	EstimatedFinalWeight uint32        `json:"estimated_final_weight"`
	Excess               Msat          `json:"excess_msat"`
	ChangeOutnum         *uint32       `json:"change_outnum"`
	Reservations         []Reservation `json:"reservations"`
}

// Funding says what fundpsbt and utxopsbt should pay for.
type Funding struct {
	// AmountSat is what the inputs must be worth besides fees; nil takes all.
	AmountSat *uint64
	// Feerate is CLN's text: "253perkw", "urgent", ...
	Feerate string
	// StartWeight is the weight of the transaction besides these inputs.
	StartWeight uint32
	// ReserveBlocks is how long the inputs are reserved; 0 for not at all.
	ReserveBlocks uint32
	// MinConf is for fundpsbt: the confirmations that an input must have.
	MinConf uint32
	// Locktime is the transaction's, nil for lightningd's choice.
	Locktime *uint32
	// ExcessAsChange adds a change output.
	ExcessAsChange bool
}

type fundpsbt struct {
	Satoshi        string  `json:"satoshi"`
	Feerate        string  `json:"feerate"`
	StartWeight    uint32  `json:"startweight"`
	MinConf        uint32  `json:"minconf"`
	Reserve        uint32  `json:"reserve"`
	Locktime       *uint32 `json:"locktime,omitempty"`
	ExcessAsChange bool    `json:"excess_as_change"`
}

func (fundpsbt) Name() string { return "fundpsbt" }

// FundPSBT calls fundpsbt: lightningd chooses the inputs.
func (c *Client) FundPSBT(ctx context.Context, f Funding) (*FundedPSBT, error) {
	return get[FundedPSBT](ctx, c, fundpsbt{
		satoshi(f.AmountSat), f.Feerate, f.StartWeight, f.MinConf, f.ReserveBlocks, f.Locktime, f.ExcessAsChange,
	})
}

type utxopsbt struct {
	Satoshi        string   `json:"satoshi"`
	Feerate        string   `json:"feerate"`
	StartWeight    uint32   `json:"startweight"`
	UTXOs          []string `json:"utxos"`
	Reserve        uint32   `json:"reserve"`
	ReservedOK     bool     `json:"reservedok"`
	Locktime       *uint32  `json:"locktime,omitempty"`
	ExcessAsChange bool     `json:"excess_as_change"`
}

func (utxopsbt) Name() string { return "utxopsbt" }

// UTXOPSBT calls utxopsbt with these wallet outputs; reservedOK takes reserved
// ones too.
func (c *Client) UTXOPSBT(ctx context.Context, f Funding, utxos []wire.OutPoint, reservedOK bool) (*FundedPSBT, error) {
	return get[FundedPSBT](ctx, c, utxopsbt{
		satoshi(f.AmountSat), f.Feerate, f.StartWeight, outpoints(utxos), f.ReserveBlocks, reservedOK, f.Locktime, f.ExcessAsChange,
	})
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

// Sent is a transaction that lightningd published.
type Sent struct {
	// Tx is the serialised transaction in hex, Txid in display order.
	Tx   string `json:"tx"`
	Txid string `json:"txid"`
	PSBT string `json:"psbt"`
}

type sendpsbt struct {
	PSBT    string `json:"psbt"`
	Reserve uint32 `json:"reserve,omitempty"`
}

func (sendpsbt) Name() string { return "sendpsbt" }

// SendPSBT finalises and publishes a signed PSBT.
func (c *Client) SendPSBT(ctx context.Context, psbt string, reserveBlocks uint32) (*Sent, error) {
	return get[Sent](ctx, c, sendpsbt{psbt, reserveBlocks})
}

type withdraw struct {
	Destination string   `json:"destination"`
	Satoshi     string   `json:"satoshi"`
	Feerate     string   `json:"feerate,omitempty"`
	UTXOs       []string `json:"utxos,omitempty"`
}

func (withdraw) Name() string { return "withdraw" }

// Withdraw sends sat (nil: all) from the wallet, from these outputs only where
// any are given; feerate "" is CLN's default.
func (c *Client) Withdraw(ctx context.Context, destination string, sat *uint64, feerate string, utxos ...wire.OutPoint) (*Sent, error) {
	return get[Sent](ctx, c, withdraw{destination, satoshi(sat), feerate, outpoints(utxos)})
}

func satoshi(sat *uint64) string {
	if sat == nil {
		return "all"
	}
	return fmt.Sprintf("%dsat", *sat)
}

func outpoints(ops []wire.OutPoint) []string {
	var out []string
	for _, op := range ops {
		out = append(out, fmt.Sprintf("%s:%d", op.Hash, op.Index))
	}
	return out
}

// Outpoint is the output's place; the error is for a txid that is no hash.
func (o *WalletOutput) Outpoint() (wire.OutPoint, error) {
	hash, err := chainhash.NewHashFromStr(o.Txid)
	if err != nil || len(o.Txid) != 2*chainhash.HashSize {
		return wire.OutPoint{}, fmt.Errorf("listfunds: txid is not a hash")
	}
	return wire.OutPoint{Hash: *hash, Index: o.Vout}, nil
}
