package plugin

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/keyring"
	secrets "github.com/glrecover/glrecover/recovery/secret"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/clnwallet"
)

// ForLightningd makes the service of a running lightningd.
func ForLightningd(rpc *lightningd.Client, log logrus.FieldLogger) Service {
	return recovery.New(deps(rpc, log))
}

// deps are the recovery's surroundings with lightningd behind them.
func deps(rpc *lightningd.Client, log logrus.FieldLogger) recovery.Deps {
	n := &node{rpc}
	return recovery.Deps{
		Node: n, Store: n, Stubs: true, Backend: rpc, Log: log, Mark: runMark(), Now: time.Now,
		OpenKeys: func(facts api.Node, id channel.PubKey) (keyring.Keys, error) {
			secret, err := keychain.Locate(facts.LightningDir, facts.Options.HSMSecretPath, id)
			if err != nil {
				return nil, err
			}
			return secrets.New(secret, facts.Network)
		},
		Diagnose: diagnose,
		NewPeers: func(facts api.Node, key peer.NodeKey) (closing.Peers, error) {
			return peer.New(peer.Config{Key: key, Proxy: facts.Proxy, AlwaysUseProxy: facts.AlwaysUseProxy, Log: log})
		},
		Children: &claims.ChildBuilder{
			Build: func(ctx context.Context, r sweep.Request) (*sweep.Child, error) {
				return sweep.BuildChild(ctx, clnwallet.New(rpc), r)
			},
			Feerate: func(ctx context.Context) (uint32, error) {
				f, err := rpc.Feerates(ctx)
				if err != nil {
					return 0, err
				}
				return max(f.UnilateralClose, f.Opening, f.Floor), nil
			},
		},
		Sweeps: &claims.SweepBuilder{
			Address: clnwallet.New(rpc).NewAddress, Feerate: feerates{rpc}.named, Wallet: clnwallet.New(rpc),
		},
		Bitcoind: func(facts api.Node, configs map[string]string) chain.Node {
			b, err := chain.NewBitcoind(chain.OptionsFromConfigs(facts.Network, configs))
			if err != nil {
				log.WithError(err).Debug("bitcoind cannot be asked directly, so its mempool is not seen")
				return nil
			}
			return b
		},
	}
}

// diagnose looks at the running node's own hsm_secret for the mistake behind
// its wrong node id.
func diagnose(ctx context.Context, facts api.Node, running, want channel.PubKey) *failure.Error {
	if facts.LightningDir == "" {
		return nil // and not a file of this name in the working directory
	}
	source, err := keychain.Open(filepath.Join(facts.LightningDir, "hsm_secret"), false)
	if err != nil {
		return nil
	}
	defer source.Wipe()
	made := running
	// A file with a passphrase cannot be read without it. It makes the running
	// node: lightningd was told.
	if secret, err := source.Secret(nil); err == nil {
		defer secret.Wipe()
		if made, err = secret.NodeID(); err != nil || made == want {
			return nil // the file was changed under the running node
		}
	}
	return proof.Diagnose(ctx, want, source, &made)
}
