package api

import "github.com/glrecover/glrecover/channel"

// Backup is a signer backup as the caller gave it: exactly one of the two
// fields is set.
type Backup struct {
	// Path is the path as typed; it may be relative, which the recovery
	// refuses, because lightningd's working directory is not the caller's.
	Path string
	// Inline is the backup's JSON, byte for byte as it came.
	Inline []byte
}

// RecoverParams are the parameters of glrecover.
type RecoverParams struct {
	Backup Backup
	// Decommissioned is the user's statement that the hosted node can never
	// run again.
	Decommissioned bool
	DryRun         bool
	// Addresses maps a peer's node id to "host:port" as typed.
	Addresses map[channel.PubKey]string
	// Destination is an on-chain address as typed, "" for the node's wallet.
	Destination string
	// Feerate is as typed: sat per kw or kb with suffix ("253perkw"), a bare
	// number, or one of CLN's names ("urgent"); "" for none.
	Feerate string
	// SkipIncomplete leaves channels out that the backup describes only in
	// part.
	SkipIncomplete bool
	// Override names the failures that the user accepts.
	Override []string
}

// Progress tells the caller of a long command how it goes. Its methods may be
// called from any goroutine, never fail, and do nothing once the command has
// answered.
type Progress interface {
	// Message is one line for a person.
	Message(text string)
	// Step says that done of total steps are finished; total > 0.
	Step(done, total uint32)
}

// Node is what lightningd says of itself when it starts the plugin.
type Node struct {
	// RPCSocket is the absolute path of lightningd's JSON-RPC socket.
	RPCSocket string
	// LightningDir is the directory of this network (hsm_secret, database).
	LightningDir string
	// Network is lightningd's name of it: bitcoin, testnet, testnet4, signet
	// or regtest.
	Network string
	// Version is lightningd's version as it reports it.
	Version string
	// AtStartup is false where an operator started the plugin by command.
	AtStartup bool
	// Proxy is lightningd's SOCKS5 proxy "host:port", "" without one.
	Proxy string
	// AlwaysUseProxy forbids clearnet connections and DNS queries.
	AlwaysUseProxy bool
	Options        Options
}

// Options are the plugin's options from lightningd's configuration.
type Options struct {
	// HSMSecretPath is where the secret is, "" for LightningDir/hsm_secret.
	HSMSecretPath string
	// AllowOpenings are the peers with which the operator allows channel
	// openings although the guard would refuse them.
	AllowOpenings []channel.PubKey
	// AllowAllOpenings lifts the guard for every peer.
	AllowAllOpenings bool
}

// StateChange is one channel_state_changed notification.
type StateChange struct {
	Peer channel.PubKey
	// ChannelID is nil where lightningd did not say.
	ChannelID *channel.ID
	// OldState and NewState are CLN's names; OldState is "unknown" for a new
	// channel.
	OldState string
	NewState string
	// Cause is CLN's: user, local, remote, protocol, onchain or unknown.
	Cause   string
	Message string
}

// Opening is one channel_opened notification: a peer funded a channel with us.
type Opening struct {
	Peer channel.PubKey
	// FundingTxid is 64 hex digits in display order.
	FundingTxid string
	FundingMsat uint64
	Ready       bool
}
