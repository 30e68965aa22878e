package scbconv

// Source says where the address of an entry comes from.
type Source string

// Sources, in the order of preference.
const (
	FromParameter   Source = "parameter"
	FromBackup      Source = "backup"
	FromGossip      Source = "gossip"
	FromPlaceholder Source = "placeholder"
)

// Candidates are the addresses that are known of one peer.
type Candidates struct {
	// Parameter is what the user said; the zero value where nothing.
	Parameter Address
	// Backup is the text of the backup's peer entry, "" where there is none.
	Backup string
	// BackupInbound says that the peer had connected to the node: the port in
	// Backup is an ephemeral one, at which nobody listens.
	BackupInbound bool
	// Gossip is what the node knows, best first. A fresh node knows nothing.
	Gossip []Address
}

// Choice is the address to use, and what became of the backup's.
type Choice struct {
	Address Address
	Source  Source
	// BackupError is why the backup's address cannot be read; nil if it can or
	// if there is none. It matches ErrAddress.
	BackupError error
}

// Choose picks the address for a peer: the user's, else the backup's unless it
// is an inbound one or unreadable, else the first from gossip, else Placeholder.
// It never fails: a missing address must not keep a channel from being
// recovered, since the peer can be reached later by "connect".
func Choose(c Candidates) Choice {
	var (
		choice Choice
		backup Address
	)
	if c.Backup != "" {
		backup, choice.BackupError = ParseAddress(c.Backup)
	}
	switch {
	case !c.Parameter.IsZero():
		choice.Address, choice.Source = c.Parameter, FromParameter
	case !backup.IsZero() && !c.BackupInbound:
		choice.Address, choice.Source = backup, FromBackup
	case len(c.Gossip) > 0:
		choice.Address, choice.Source = c.Gossip[0], FromGossip
	default:
		choice.Address, choice.Source = Placeholder, FromPlaceholder
	}
	return choice
}
