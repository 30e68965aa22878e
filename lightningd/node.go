package lightningd

import (
	"context"

	"github.com/glrecover/glrecover/channel"
)

// Info is getinfo.
type Info struct {
	ID           channel.PubKey `json:"id"`
	Alias        string         `json:"alias"`
	Version      string         `json:"version"`
	Network      string         `json:"network"`
	LightningDir string         `json:"lightning-dir"`
	BlockHeight  uint32         `json:"blockheight"`
	Peers        uint32         `json:"num_peers"`
	// BitcoindSync and LightningdSync are warnings, "" where that side is in
	// sync with the chain.
	BitcoindSync   string `json:"warning_bitcoind_sync"`
	LightningdSync string `json:"warning_lightningd_sync"`
	// Address is what the node announces, Binding where it listens.
	Address []Address `json:"address"`
	Binding []Address `json:"binding"`
}

// Synced reports whether both bitcoind and lightningd follow the chain's tip.
func (i *Info) Synced() bool { return i.BitcoindSync == "" && i.LightningdSync == "" }

// Address is a network address as CLN writes it.
type Address struct {
	// Type is ipv4, ipv6, torv3 or dns (announced), or local socket (bound).
	Type    string `json:"type"`
	Address string `json:"address"`
	Port    uint16 `json:"port"`
}

type getinfo struct{}

func (getinfo) Name() string { return "getinfo" }

// GetInfo calls getinfo.
func (c *Client) GetInfo(ctx context.Context) (*Info, error) {
	return get[Info](ctx, c, getinfo{})
}

// Config is one entry of listconfigs. At most one of the value fields is set.
type Config struct {
	Str    *string  `json:"value_str"`
	Int    *int64   `json:"value_int"`
	Bool   *bool    `json:"value_bool"`
	Msat   *Msat    `json:"value_msat"`
	Strs   []string `json:"values_str"`
	Set    *bool    `json:"set"`
	Source string   `json:"source"`
	Plugin string   `json:"plugin"`
}

// Configs is listconfigs, by option name. Options that are not set and have no
// default are absent. It holds bitcoind's RPC password: never log it.
type Configs map[string]Config

// Text is the value of a text option and whether it is there.
func (c Configs) Text(name string) (string, bool) {
	if v := c[name].Str; v != nil {
		return *v, true
	}
	return "", false
}

// Number is the value of a number option and whether it is there. "rescan" is
// one: blocks to look back, or a height as a negative number.
func (c Configs) Number(name string) (int64, bool) {
	if v := c[name].Int; v != nil {
		return *v, true
	}
	return 0, false
}

// Msat is the value of an amount and whether it is there.
func (c Configs) Msat(name string) (Msat, bool) {
	if v := c[name].Msat; v != nil {
		return *v, true
	}
	return 0, false
}

// Flag is true for an option without value that is set, and for a boolean one
// that is true.
func (c Configs) Flag(name string) bool {
	v := c[name]
	return v.Set != nil && *v.Set || v.Bool != nil && *v.Bool
}

type listconfigs struct{}

func (listconfigs) Name() string { return "listconfigs" }

// ListConfigs calls listconfigs.
func (c *Client) ListConfigs(ctx context.Context) (Configs, error) {
	out, err := get[struct {
		Configs Configs `json:"configs"`
	}](ctx, c, listconfigs{})
	if err != nil {
		return nil, err
	}
	return out.Configs, nil
}

type help struct {
	Command string `json:"command,omitempty"`
}

func (help) Name() string { return "help" }

// Help returns the usage line of each command that lightningd knows, or of the
// named one. An unknown command is an *RPCError.
func (c *Client) Help(ctx context.Context, command string) ([]string, error) {
	out, err := get[struct {
		Help []struct {
			Command string `json:"command"`
		} `json:"help"`
	}](ctx, c, help{command})
	if err != nil {
		return nil, err
	}
	var usages []string
	for _, h := range out.Help {
		usages = append(usages, h.Command)
	}
	return usages, nil
}

// get calls a method whose result is one object.
func get[T any](ctx context.Context, c *Client, m interface{ Name() string }) (*T, error) {
	out := new(T)
	if err := c.call(ctx, m, out); err != nil {
		return nil, err
	}
	return out, nil
}
