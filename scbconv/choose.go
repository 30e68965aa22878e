package scbconv

import "slices"

// Source says where the address of an entry comes from.
type Source string

// Sources, in the order of preference.
const (
	FromParameter Source = "parameter"
	FromBackup    Source = "backup"
	FromGossip    Source = "gossip"
	// FromInbound is the host that an inbound peer called from, at DefaultPort.
	FromInbound     Source = "inbound_host"
	FromPlaceholder Source = "placeholder"
)

// Guessed reports whether nobody said that the peer listens at the address.
func (s Source) Guessed() bool { return s == FromInbound || s == FromPlaceholder }

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

// Located is an address and where it comes from.
type Located struct {
	Address Address
	Source  Source
}

// All lists every address that may work, best first and each once: the
// user's, the backup's, those from gossip, the host that an inbound peer called
// from. The error is why the backup's address cannot be read; it matches
// ErrAddress.
func (c Candidates) All() ([]Located, error) {
	var (
		list    []Located
		backup  Address
		unread  error
		inbound Address
	)
	if c.Backup != "" {
		backup, unread = ParseAddress(c.Backup)
	}
	if c.BackupInbound && !backup.IsZero() {
		inbound, backup = called(backup), Address{}
	}
	add := func(a Address, from Source) {
		if !a.IsZero() && !slices.ContainsFunc(list, func(l Located) bool { return l.Address == a }) {
			list = append(list, Located{a, from})
		}
	}
	add(c.Parameter, FromParameter)
	add(backup, FromBackup)
	for _, a := range c.Gossip {
		add(a, FromGossip)
	}
	add(inbound, FromInbound)
	return list, unread
}

// Choice is the address to use, and what became of the backup's.
type Choice struct {
	Address Address
	Source  Source
	// BackupError is why the backup's address cannot be read; nil if it can or
	// if there is none. It matches ErrAddress.
	BackupError error
}

// Choose picks the address for a peer: the first of All, else Placeholder. It
// never fails: a missing address must not keep a channel from being recovered,
// since the peer can be reached later by "connect".
func Choose(c Candidates) Choice {
	list, err := c.All()
	list = append(list, Located{Placeholder, FromPlaceholder})
	return Choice{Address: list[0].Address, Source: list[0].Source, BackupError: err}
}
