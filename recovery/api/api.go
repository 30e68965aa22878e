package api

import (
	"time"

	"github.com/glrecover/glrecover/channel"
)

// Backup is a signer backup as the caller gave it: exactly one of the two
// fields is set.
type Backup struct {
	// Path is the path as typed; it may be relative, which the recovery
	// refuses, because lightningd's working directory is not the caller's.
	Path string
	// Inline is the backup's JSON, byte for byte as it came.
	Inline []byte
}

// None reports whether there is no backup.
func (b Backup) None() bool { return b.Path == "" && b.Inline == nil }

// RecoverParams are the parameters of glrecover.
type RecoverParams struct {
	// Backup is empty where the words are all that there is; then Peers names those
	// that are heard first.
	Backup Backup
	// Peers maps the node id of a peer to be heard before the plan to "host:port" as
	// typed, "" where gossip or a copy must tell.
	Peers map[channel.PubKey]string
	// Since is from when on the node may have existed, for a search without a backup;
	// zero if unknown.
	Since time.Time
	// Decommissioned is the user's statement that the hosted node can never
	// run again.
	Decommissioned bool
	DryRun         bool
	// Addresses maps a peer's node id to "host:port" as typed.
	Addresses map[channel.PubKey]string
	// Destination is an on-chain address as typed, to which sweeps pay; "" for the
	// node's wallet.
	Destination string
	// Feerate is the sweeps' as typed: sat per kw or kb with suffix ("253perkw"), a
	// bare number, or one of CLN's names ("urgent"); "" for the estimate.
	Feerate string
	// SkipIncomplete leaves channels out that the backup describes only in
	// part.
	SkipIncomplete bool
	// Override names the failures that the user accepts.
	Override []string
	// Extra imports the channels that only a stored copy of the lost node's own
	// backup has.
	Extra bool
	// MaxFeePercent is how much of what a close brings to the wallet may be paid
	// to get it confirmed, 0 to 100; 0 means nothing ever. Nil leaves it as it
	// was, or at the default.
	MaxFeePercent *uint64
	// Wait is how long to wait for a node that is behind the chain.
	Wait time.Duration
}

// SweepParams are the parameters of glrecover-sweep.
type SweepParams struct {
	DryRun bool
	// Preimages are the user's. They never print.
	Preimages []Preimage
	// Channel is as in glrecover-status, "" for all.
	Channel string
}

// Preimage is the preimage of a payment.
type Preimage [32]byte

// String hides it.
func (Preimage) String() string { return "[preimage]" }

// GoString hides it.
func (Preimage) GoString() string { return "[preimage]" }

// MarshalText hides it.
func (Preimage) MarshalText() ([]byte, error) { return []byte("[preimage]"), nil }

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
	// OpeningsTrouble says which values of that option are no node ids, "" if all
	// are: the guard stays up for them.
	OpeningsTrouble string
}
