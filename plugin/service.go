package plugin

import (
	"context"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/api"
)

// Service is what the plugin needs of the recovery. Its methods may be called
// from any goroutine, and after each other without Start having returned: only
// the commands wait for Start.
type Service interface {
	// Start is called after lightningd's init, and again with growing pauses
	// until it returns nil. Its context ends with the plugin.
	Start(ctx context.Context, node api.Node) error

	// The commands. Answers encode to JSON objects. Errors that the user should
	// act on are failures.
	Recover(ctx context.Context, p api.RecoverParams, progress api.Progress) (any, error)
	Inspect(ctx context.Context, backup api.Backup) (any, error)
	// Find covers states of our commitments before and after the backup's.
	Find(ctx context.Context, backup api.Backup, states uint64, progress api.Progress) (any, error)
	// The channel is as typed, "" for all.
	Status(ctx context.Context, channel string) (any, error)
	// Report is the status as a page, in HTML.
	Report(ctx context.Context) (any, error)
	// Retry takes the names of what the user overrides.
	Retry(ctx context.Context, channel string, override []string) (any, error)
	Sweep(ctx context.Context, p api.SweepParams) (any, error)
	Forget(ctx context.Context, channel string) (any, error)

	// OpeningAllowed is the guard: nil allows a channel opening. The peer is
	// nil where the opening does not name it. how is the command, or
	// "openchannel" or "openchannel2" for an opening by the peer. It must
	// answer within GuardTimeout: later, or a panic, means no.
	OpeningAllowed(ctx context.Context, peer *channel.PubKey, how string) error

	// The events come one after the other; they must not block.
	BlockAdded()
	PeerConnected(peer channel.PubKey)
	ChannelStateChanged()
	ChannelOpened(peer channel.PubKey, fundingTxid string)
}

// NewService makes the service once lightningd's socket is known. It must not
// call the client yet.
type NewService func(client *lightningd.Client, log logrus.FieldLogger) Service
