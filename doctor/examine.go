package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// Input is what is known before anything is looked at.
type Input struct {
	// Client is the node's, nil where no socket was found; then NoClient is why.
	Client   *lightningd.Client
	NoClient error
	// Dirs are the directories of networks where a node may be started; they are
	// looked at where none runs.
	Dirs []string
	// Path and Backup are the file that the user named; Backup is nil where there is
	// none or where it cannot be read, which BackupError says.
	Path        string
	Backup      *vlsstate.Backup
	BackupError error
	Now         time.Time
}

// callTime bounds one call of lightningd.
const callTime = 10 * time.Second

// examination collects the checks.
type examination struct {
	Input
	report  *Report
	info    *lightningd.Info
	configs lightningd.Configs
	usages  []string
}

// Examine looks at everything. It never fails: what cannot be looked at is unknown.
func Examine(ctx context.Context, in Input) *Report {
	e := &examination{Input: in, report: &Report{Checks: []Check{}}}
	e.lightningd(ctx)
	e.backup()
	if e.info == nil {
		e.prepared()
		// Started before its secret is there, lightningd makes another one.
		checks := e.report.Checks
		e.report.Checks = append(checks[1:], checks[0])
	} else {
		e.network()
		e.secret()
		e.node()
		e.disk()
		e.plugin(ctx)
		e.chain(ctx)
		e.channels(ctx)
		e.peers(ctx)
		e.proxy()
		e.rescan()
	}
	e.report.Ready = !slices.ContainsFunc(e.report.Checks, func(c Check) bool { return c.Status == Missing })
	return e.report
}

func (e *examination) say(name Name, status Status, do, found string, args ...any) {
	e.report.Checks = append(e.report.Checks, Check{Name: name, Status: status, Found: fmt.Sprintf(found, args...), Do: do})
}

// lightningd asks the node who it is.
func (e *examination) lightningd(ctx context.Context) {
	const start = "Start it, with the option offline until the channels are imported; or say where it is with --lightning-dir and --network"
	if e.Client == nil {
		e.say(Lightningd, Missing, start, "%s", reasonOf(e.NoClient))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	info, err := e.Client.GetInfo(ctx)
	if err != nil {
		e.say(Lightningd, Missing, start, "lightningd does not answer at %s", e.Client.Socket())
		return
	}
	e.info = info
	e.report.NodeID, e.report.LightningDir = &info.ID, info.LightningDir
	if !filepath.IsAbs(e.report.LightningDir) {
		e.report.LightningDir = filepath.Dir(e.Client.Socket())
	}
	e.say(Lightningd, OK, "", "runs in %s on %s, node %s", e.report.LightningDir, info.Network, info.ID)
	switch v, err := lightningd.ParseVersion(info.Version); {
	case err != nil:
		e.say(Version, Warning, "Use a release of "+lightningd.MinVersion.String()+" or newer", "cannot read its version")
	case !v.AtLeast(lightningd.MinVersion):
		e.say(Version, Missing, "Install "+lightningd.MinVersion.String()+" or newer; a node's directory cannot go back to an older one",
			"it is %s, which cannot read these channel backups", v)
	default:
		e.say(Version, OK, "", "%s", v)
	}
	// Neither is needed for more than hints.
	e.configs, _ = e.Client.ListConfigs(ctx)
	e.usages, _ = e.Client.Help(ctx, "")
}

// backup is what the named file is.
func (e *examination) backup() {
	switch {
	case e.Path == "":
		e.say(Backup, Unknown, "Give it: glrecover doctor BACKUP", "no backup was given")
	case e.BackupError != nil:
		e.say(Backup, Missing, doOf(e.BackupError, "Look for another copy"), "%s", reasonOf(e.BackupError))
	case len(e.Backup.Channels) == 0:
		e.say(Backup, Missing, "Look for another copy; glrecover inspect says more", "it holds no channel that can be recovered")
	default:
		when := ""
		if !e.Backup.CreatedAt.IsZero() {
			when = ", written " + e.Backup.CreatedAt.UTC().Format(time.DateTime) + " UTC"
		}
		e.say(Backup, OK, "", "%s of node %s%s", several(len(e.Backup.Channels), "channel"), e.Backup.NodeID, when)
	}
}

func (e *examination) network() {
	if e.Backup == nil || e.Backup.Network == "" {
		return
	}
	if e.Backup.Network == e.info.Network {
		e.say(Network, OK, "", "node and backup are both on %s", e.info.Network)
		return
	}
	e.say(Network, Missing, "Start lightningd with --network="+e.Backup.Network, "the backup is of a node on %s, this node is on %s", e.Backup.Network, e.info.Network)
}

// node compares the node with the backup's.
func (e *examination) node() {
	switch {
	case e.Backup == nil:
	case e.Backup.NodeID == e.info.ID:
		e.say(NodeID, OK, "", "this node has the lost node's secret")
	default:
		e.say(NodeID, Missing, "Make the right hsm_secret with: glrecover hsm-secret BACKUP, and start lightningd with it in a directory that no node has used",
			"this is node %s, the backup is of %s", e.info.ID, e.Backup.NodeID)
	}
}

// plugin asks for the methods of glrecover, and whether lightningd reads the file.
func (e *examination) plugin(ctx context.Context) {
	loaded := slices.ContainsFunc(e.usages, func(u string) bool { return u == "glrecover" || strings.HasPrefix(u, "glrecover ") })
	switch {
	case loaded:
		e.say(Plugin, OK, "", "glrecover is loaded")
	case e.usages == nil:
		e.say(Plugin, Unknown, "", "lightningd does not list its commands")
		return
	default:
		e.say(Plugin, Missing, "Write plugin=/PATH/TO/glrecover into lightningd's config and restart it, or run: lightning-cli plugin start /PATH/TO/glrecover",
			"the plugin glrecover is not loaded in this lightningd")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if e.Backup != nil {
		path, err := filepath.Abs(e.Path)
		if err == nil {
			err = e.Client.RecoveryInspect(ctx, path)
		}
		rpc := new(lightningd.RPCError)
		switch {
		case err == nil:
			e.say(BackupRead, OK, "", "lightningd reads the backup at %s", path)
		case errors.As(err, &rpc) && strings.HasPrefix(rpc.Message, string(failure.BackupUnreadable)):
			e.say(BackupRead, Missing, "Copy it to a place that the user who runs lightningd may read; a system service may have no access to home directories",
				"lightningd cannot read %s", path)
		case errors.As(err, &rpc):
			e.say(BackupRead, Missing, "", "the plugin's answer about the backup: %s", strings.TrimSuffix(rpc.Message, "."))
		default:
			e.say(BackupRead, Unknown, "", "the plugin did not answer in time")
		}
	}
	raw, err := e.Client.RecoveryStatus(ctx)
	if err == nil && strings.Contains(string(raw), `"channel_id"`) {
		e.say(Recovery, Warning, "See: glrecover status", "a recovery was already started on this node")
	}
}

// chain asks the backend.
func (e *examination) chain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	info, err := e.Client.ChainInfo(ctx)
	switch {
	case err != nil:
		e.say(Bitcoind, Missing, "Start it, and look in lightningd's log for messages about bitcoin-cli", "lightningd gets no answer from bitcoind")
	case info.IBD || info.Blocks+1 < info.Headers:
		e.say(Bitcoind, Missing, "Wait; or give glrecover the parameter wait=SECONDS", "bitcoind has %d of %d blocks", info.Blocks, info.Headers)
	default:
		e.say(Bitcoind, OK, "", "answers, at block %d", info.Blocks)
	}
	switch {
	case !e.info.Synced():
		e.say(Sync, Missing, "Wait; or give glrecover the parameter wait=SECONDS", "lightningd is still catching up, at block %d", e.info.BlockHeight)
	default:
		e.say(Sync, OK, "", "lightningd is at block %d", e.info.BlockHeight)
	}
}

// channels looks for channels that are no stubs.
func (e *examination) channels(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	list, err := e.Client.ListPeerChannels(ctx, nil)
	if err != nil {
		e.say(OwnChannels, Unknown, "", "lightningd does not list its channels")
		return
	}
	own, shared := 0, 0
	for i := range list {
		c := &list[i]
		if c.ShortChannelID == "1x1x1" {
			continue // a stub that recoverchannel made
		}
		own++
		if e.Backup != nil && e.ofBackup(c.Peer) {
			shared++
		}
	}
	switch {
	case shared > 0:
		e.say(OwnChannels, Missing, "Use a fresh node: a lightning directory with nothing in it but the hsm_secret",
			"this node has %s of its own with peers of the backup", several(shared, "channel"))
	case own > 0:
		e.say(OwnChannels, Warning, "A fresh node is safer", "this node has %s of its own", several(own, "channel"))
	default:
		e.say(OwnChannels, OK, "", "this node has no channels of its own")
	}
}

func (e *examination) ofBackup(peer channel.PubKey) bool {
	return slices.ContainsFunc(e.Backup.Channels, func(c *channel.Channel) bool { return c.Peer == peer })
}

// peers asks whether the node has met the lost node's peers already.
func (e *examination) peers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	const offline = "Before the import, start lightningd with --offline, so that it connects to no peer: a peer may forget a channel that lightningd does not know yet"
	list, err := e.Client.ListPeers(ctx, nil)
	if err != nil {
		e.say(Peers, Unknown, "", "lightningd does not list its peers")
		return
	}
	met := 0
	for i := range list {
		if list[i].Connected && e.Backup != nil && e.ofBackup(list[i].ID) {
			met++
		}
	}
	// CLN keeps the copy of a node's backup that a peer returned to it.
	stored, err := e.Client.ListDatastore(ctx, "chanbackup")
	returned := err == nil && len(stored) > 0
	switch {
	case met > 0:
		e.say(Peers, Warning, offline, "lightningd is connected to %s of the backup", several(met, "peer"))
	case returned:
		e.say(Peers, Warning, "Start the recovery without delay", "a peer of the lost node has already talked to this node: it returned the copy of a backup that it kept")
	case e.configs.Flag("offline"):
		e.say(Peers, OK, "", "lightningd is offline and has talked to no peer")
	default:
		e.say(Peers, Warning, offline, "lightningd is not offline: it may connect to a peer of the lost node at any time")
	}
}

// proxy compares the addresses of the backup with what can be dialled.
func (e *examination) proxy() {
	proxy, ok := e.configs.Text("proxy")
	onions := 0
	if e.Backup != nil {
		for _, p := range e.Backup.Peers {
			if a, err := scbconv.ParseAddress(p.Addr); err == nil && a.Kind() == scbconv.TorV3 {
				onions++
			}
		}
	}
	switch {
	case ok && proxy != "":
		e.say(Proxy, OK, "", "connections go through %s", proxy)
	case onions > 0:
		e.say(Proxy, Warning, "Run Tor, and start lightningd with --proxy=127.0.0.1:9050", "the backup gives Tor addresses for %s, and lightningd has no proxy", several(onions, "peer"))
	default:
		e.say(Proxy, OK, "", "no proxy is set, and no address of the backup needs one")
	}
}

// rescan says what the wallet does not see yet.
func (e *examination) rescan() {
	back, ok := e.configs.Number("rescan")
	found := "lightningd looks for the wallet's coins only from where it started"
	switch {
	case ok && back < 0:
		found = fmt.Sprintf("lightningd looks for the wallet's coins from block %d on", -back)
	case ok:
		found = fmt.Sprintf("lightningd looks for the wallet's coins in the last %d blocks", back)
	}
	e.say(Rescan, Warning, "After the recovery, restart it once with --rescan=-HEIGHT, where HEIGHT is a block before the lost node's first coin",
		"%s: it does not see older on-chain coins of the lost node", found)
}

// reasonOf is what an error found, without its name and what to do.
func reasonOf(err error) string {
	var f *failure.Error
	switch {
	case errors.As(err, &f):
		return f.Found
	case err == nil:
		return ""
	}
	return err.Error()
}

func doOf(err error, other string) string {
	var f *failure.Error
	if errors.As(err, &f) && f.Do != "" {
		return f.Do
	}
	return other
}

// several is a number with its noun.
func several(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
