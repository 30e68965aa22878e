package doctor

import "github.com/glrecover/glrecover/channel"

// Status is how one check ended.
type Status string

// The statuses.
const (
	// OK: nothing to do.
	OK Status = "ok"
	// Warning: the recovery works, but read this first.
	Warning Status = "warning"
	// Missing: the recovery cannot be started like this.
	Missing Status = "missing"
	// Unknown: it could not be looked at.
	Unknown Status = "unknown"
)

// Name is the stable name of a check.
type Name string

// The checks, in the order in which to mend them.
const (
	Lightningd  Name = "lightningd"
	Version     Name = "version"
	Backup      Name = "backup"
	Network     Name = "network"
	HSMSecret   Name = "hsm_secret"
	NodeID      Name = "node_id"
	Disk        Name = "disk"
	Plugin      Name = "plugin"
	BackupRead  Name = "backup_reach"
	Bitcoind    Name = "bitcoind"
	Sync        Name = "sync"
	OwnChannels Name = "own_channels"
	Peers       Name = "peers"
	Proxy       Name = "proxy"
	Rescan      Name = "rescan"
	Recovery    Name = "recovery"
)

// Check is one thing that was looked at. Found and Do are sentences without full
// stops; Do is "" where there is nothing to do.
type Check struct {
	Name   Name   `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"`
}

// Report is all that was found.
type Report struct {
	// Ready is true where nothing is missing.
	Ready  bool            `json:"ready"`
	NodeID *channel.PubKey `json:"node_id"`
	// LightningDir is the directory of the node's network, "" where unknown.
	LightningDir string  `json:"lightning_dir,omitempty"`
	Checks       []Check `json:"checks"`
}

// Of is the check of a name; nil where it was not made.
func (r *Report) Of(name Name) *Check {
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			return &r.Checks[i]
		}
	}
	return nil
}
