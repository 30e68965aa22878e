package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
)

// stubSCID is the short channel id of what recoverchannel makes (CLN
// opening_control.c).
const stubSCID = "1x1x1"

// node is the recovery's Node and Store over lightningd's RPC.
type node struct{ rpc *lightningd.Client }

// Info calls getinfo.
func (l *node) Info(ctx context.Context) (api.Info, error) {
	i, err := l.rpc.GetInfo(ctx)
	if err != nil {
		return api.Info{}, err
	}
	syncing := i.BitcoindSync
	if syncing == "" {
		syncing = i.LightningdSync
	}
	return api.Info{ID: i.ID, Network: i.Network, Version: i.Version, Height: i.BlockHeight, Syncing: syncing}, nil
}

// PeerChannels calls listpeerchannels. Channels without an id yet are listed
// with a zero one.
func (l *node) PeerChannels(ctx context.Context) ([]api.PeerChannel, error) {
	list, err := l.rpc.ListPeerChannels(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := make([]api.PeerChannel, 0, len(list))
	for i := range list {
		c := &list[i]
		p := api.PeerChannel{Peer: c.Peer, Connected: c.Connected, State: c.State, Stub: c.ShortChannelID == stubSCID, Private: c.Private}
		for _, text := range c.Status {
			// CLN lightningd/subd.c, destroy_subd: "Owning subdaemon lightning_onchaind died (62208)".
			if strings.Contains(text, "onchaind died") {
				p.Died = text
			}
		}
		if c.ID != nil {
			p.ID = channel.ID(*c.ID)
		}
		if hash, err := chainhash.NewHashFromStr(c.FundingTxid); err == nil {
			p.Funding = wire.OutPoint{Hash: *hash, Index: c.FundingOutnum}
		}
		out = append(out, p)
	}
	return out, nil
}

// ClosedChannels calls listclosedchannels.
func (l *node) ClosedChannels(ctx context.Context) ([]channel.ID, error) {
	list, err := l.rpc.ListClosedChannels(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]channel.ID, 0, len(list))
	for i := range list {
		out = append(out, channel.ID(list[i].ID))
	}
	return out, nil
}

// StaticBackup calls staticbackup.
func (l *node) StaticBackup(ctx context.Context) ([][]byte, error) {
	return l.rpc.StaticBackup(ctx)
}

// GossipNode calls listnodes for one node.
func (l *node) GossipNode(ctx context.Context, id channel.PubKey) (*api.GossipNode, error) {
	list, err := l.rpc.ListNodes(ctx, &id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	n := &list[0]
	g := &api.GossipNode{}
	if n.LastTimestamp != 0 {
		g.LastTimestamp = time.Unix(n.LastTimestamp, 0)
	}
	for _, a := range n.Addresses {
		g.Addresses = append(g.Addresses, net.JoinHostPort(a.Address, strconv.Itoa(int(a.Port))))
	}
	return g, nil
}

// GossipUpdate calls listchannels for one source.
func (l *node) GossipUpdate(ctx context.Context, source channel.PubKey) (time.Time, error) {
	list, err := l.rpc.ListChannelsFrom(ctx, source)
	if err != nil {
		return time.Time{}, err
	}
	var newest int64
	for i := range list {
		newest = max(newest, list[i].LastUpdate)
	}
	if newest == 0 {
		return time.Time{}, nil
	}
	return time.Unix(newest, 0), nil
}

// Neighbours calls listchannels for one source.
func (l *node) Neighbours(ctx context.Context, id channel.PubKey) ([]channel.PubKey, error) {
	list, err := l.rpc.ListChannelsFrom(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []channel.PubKey
	for i := range list {
		if to := list[i].Destination; !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out, nil
}

// Wallet calls listfunds with spent outputs.
func (l *node) Wallet(ctx context.Context) ([]api.WalletOutput, error) {
	funds, err := l.rpc.ListFunds(ctx, true)
	if err != nil {
		return nil, err
	}
	out := make([]api.WalletOutput, 0, len(funds.Outputs))
	for i := range funds.Outputs {
		o := &funds.Outputs[i]
		op, err := o.Outpoint()
		if err != nil {
			return nil, err
		}
		out = append(out, api.WalletOutput{OutPoint: op, Sat: uint64(o.Amount) / 1000, Status: o.Status, Height: o.BlockHeight, Reserved: o.Reserved})
	}
	return out, nil
}

// Spends reads listchainmoves: whatever spends an output of the wallet is a
// withdrawal there, whoever sent it; only of what this lightningd sent itself is
// there a deposit to "external", or the opening of a channel. What paid
// everything back to the wallet has neither, and listtransactions has it whole.
// Empty where lightningd is older than v25.09 and cannot tell.
func (l *node) Spends(ctx context.Context) (map[wire.OutPoint]claims.Spend, error) {
	moves, err := l.rpc.ListChainMoves(ctx)
	var rpc *lightningd.RPCError
	if errors.As(err, &rpc) && rpc.Code == lightningd.CodeUnknownMethod {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	funds, err := l.rpc.ListFunds(ctx, true)
	if err != nil {
		return nil, err
	}
	txs, err := l.rpc.ListTransactions(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string]int{} // outputs of a transaction that the wallet has
	for i := range funds.Outputs {
		kept[funds.Outputs[i].Txid]++
	}
	sent := map[string]bool{}
	for i := range txs {
		sent[txs[i].Hash] = len(txs[i].Outputs) > 0 && kept[txs[i].Hash] == len(txs[i].Outputs)
	}
	for i := range moves {
		m := &moves[i]
		if (m.Account == "external" && m.Origin == walletAccount) || m.Tag == "channel_open" {
			txid, _, _ := strings.Cut(m.UTXO, ":")
			sent[txid] = true
		}
	}
	spends := map[wire.OutPoint]claims.Spend{}
	for i := range moves {
		m := &moves[i]
		if m.Account != walletAccount || m.SpendingTxid == "" {
			continue
		}
		op, err := wire.NewOutPointFromString(m.UTXO)
		if err != nil {
			return nil, fmt.Errorf("lightningd: listchainmoves: utxo: %w", err)
		}
		spends[*op] = claims.Spend{Txid: m.SpendingTxid, Ours: sent[m.SpendingTxid]}
	}
	return spends, nil
}

// walletAccount is the wallet's name in listchainmoves.
const walletAccount = "wallet"

// Configs calls listconfigs.
func (l *node) Configs(ctx context.Context) (map[string]string, error) {
	configs, err := l.rpc.ListConfigs(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name := range configs {
		if text, ok := configs.Text(name); ok {
			out[name] = text
		} else if n, ok := configs.Number(name); ok {
			out[name] = strconv.FormatInt(n, 10)
		} else if m, ok := configs.Msat(name); ok {
			out[name] = strconv.FormatUint(uint64(m), 10)
		}
	}
	return out, nil
}

// Records calls listdatastore.
func (l *node) Records(ctx context.Context, key []string) ([]api.Record, error) {
	list, err := l.rpc.ListDatastore(ctx, key...)
	if err != nil {
		return nil, err
	}
	var out []api.Record
	for _, e := range list {
		if e.Value != nil {
			out = append(out, api.Record{Key: e.Key, Value: string(e.Value)})
		}
	}
	return out, nil
}

// RecoverChannel calls recoverchannel.
func (l *node) RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error) {
	return l.rpc.RecoverChannel(ctx, scbs)
}

// SaveRecord calls datastore.
func (l *node) SaveRecord(ctx context.Context, key []string, value string) error {
	_, err := l.rpc.Datastore(ctx, key, []byte(value), lightningd.CreateOrReplace, nil)
	return err
}

// DeleteRecord calls deldatastore; a record that is gone is no error.
func (l *node) DeleteRecord(ctx context.Context, key []string) error {
	err := l.rpc.DelDatastore(ctx, key, nil)
	var rpc *lightningd.RPCError
	if errors.As(err, &rpc) && rpc.Code == lightningd.CodeDatastoreDelDoesNotExist {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
