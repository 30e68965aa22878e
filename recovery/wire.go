package recovery

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
)

// ForLightningd makes the service of a running lightningd.
func ForLightningd(rpc *lightningd.Client, log logrus.FieldLogger) *Service {
	return New(Deps{
		Node: NewLightning(rpc), Backend: rpc, Log: log, Mark: runMark(), Now: time.Now,
		OpenKeys: func(facts api.Node, id channel.PubKey) (Keys, error) {
			secret, err := keychain.Locate(facts.LightningDir, facts.Options.HSMSecretPath, id)
			if err != nil {
				return nil, err
			}
			return newSecretKeys(secret, facts.Network)
		},
		NewPeers: func(facts api.Node, key peer.NodeKey) (Peers, error) {
			return peer.New(peer.Config{Key: key, Proxy: facts.Proxy, AlwaysUseProxy: facts.AlwaysUseProxy, Log: log})
		},
		Bitcoind: func(facts api.Node, configs map[string]string) chain.Node {
			b, err := chain.NewBitcoind(chain.OptionsFromConfigs(facts.Network, configs))
			if err != nil {
				log.WithError(err).Debug("bitcoind cannot be asked directly; its mempool stays unseen")
				return nil
			}
			return b
		},
	})
}
