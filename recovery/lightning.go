package recovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
)

// stubSCID is the short channel id of what recoverchannel makes (CLN
// opening_control.c).
const stubSCID = "1x1x1"

// Lightning is Node over lightningd's RPC.
type Lightning struct{ rpc *lightningd.Client }

// NewLightning returns a Node that calls lightningd.
func NewLightning(rpc *lightningd.Client) *Lightning { return &Lightning{rpc} }

// Info calls getinfo.
func (l *Lightning) Info(ctx context.Context) (Info, error) {
	i, err := l.rpc.GetInfo(ctx)
	if err != nil {
		return Info{}, err
	}
	syncing := i.BitcoindSync
	if syncing == "" {
		syncing = i.LightningdSync
	}
	return Info{ID: i.ID, Network: i.Network, Version: i.Version, Height: i.BlockHeight, Syncing: syncing}, nil
}

// PeerChannels calls listpeerchannels. Channels without an id yet are listed
// with a zero one.
func (l *Lightning) PeerChannels(ctx context.Context) ([]PeerChannel, error) {
	list, err := l.rpc.ListPeerChannels(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := make([]PeerChannel, 0, len(list))
	for i := range list {
		c := &list[i]
		p := PeerChannel{Peer: c.Peer, Connected: c.Connected, State: c.State, Stub: c.ShortChannelID == stubSCID, Private: c.Private}
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
func (l *Lightning) ClosedChannels(ctx context.Context) ([]channel.ID, error) {
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
func (l *Lightning) StaticBackup(ctx context.Context) ([][]byte, error) {
	return l.rpc.StaticBackup(ctx)
}

// GossipNode calls listnodes for one node.
func (l *Lightning) GossipNode(ctx context.Context, id channel.PubKey) (*GossipNode, error) {
	list, err := l.rpc.ListNodes(ctx, &id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	n := &list[0]
	g := &GossipNode{}
	if n.LastTimestamp != 0 {
		g.LastTimestamp = time.Unix(n.LastTimestamp, 0)
	}
	for _, a := range n.Addresses {
		g.Addresses = append(g.Addresses, net.JoinHostPort(a.Address, strconv.Itoa(int(a.Port))))
	}
	return g, nil
}

// GossipUpdate calls listchannels for one source.
func (l *Lightning) GossipUpdate(ctx context.Context, source channel.PubKey) (time.Time, error) {
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

// Wallet calls listfunds with spent outputs.
func (l *Lightning) Wallet(ctx context.Context) ([]WalletOutput, error) {
	funds, err := l.rpc.ListFunds(ctx, true)
	if err != nil {
		return nil, err
	}
	out := make([]WalletOutput, 0, len(funds.Outputs))
	for i := range funds.Outputs {
		o := &funds.Outputs[i]
		op, err := o.Outpoint()
		if err != nil {
			return nil, err
		}
		out = append(out, WalletOutput{OutPoint: op, Sat: uint64(o.Amount) / 1000, Status: o.Status, Height: o.BlockHeight})
	}
	return out, nil
}

// Configs calls listconfigs.
func (l *Lightning) Configs(ctx context.Context) (map[string]string, error) {
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
		}
	}
	return out, nil
}

// Records calls listdatastore.
func (l *Lightning) Records(ctx context.Context, key []string) ([]Record, error) {
	list, err := l.rpc.ListDatastore(ctx, key...)
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, e := range list {
		if e.Value != nil {
			out = append(out, Record{Key: e.Key, Value: string(e.Value)})
		}
	}
	return out, nil
}

// RecoverChannel calls recoverchannel.
func (l *Lightning) RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error) {
	return l.rpc.RecoverChannel(ctx, scbs)
}

// SaveRecord calls datastore.
func (l *Lightning) SaveRecord(ctx context.Context, key []string, value string) error {
	_, err := l.rpc.Datastore(ctx, key, []byte(value), lightningd.CreateOrReplace, nil)
	return err
}

// DeleteRecord calls deldatastore; a record that is gone is no error.
func (l *Lightning) DeleteRecord(ctx context.Context, key []string) error {
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
