package failure

// JSON-RPC codes of the failures (docs/errors.md lists them). -32602 is the
// standard "invalid params"; own codes start at 3100, outside every range that
// CLN's commands use (common/jsonrpc_errors.h).
const (
	CodeInternal = -32603
	CodeParams   = -32602
)

// Names of failures that the RPC methods and the command line share.
const (
	InvalidParameter         Name = "invalid_parameter"
	Internal                 Name = "internal_error"
	NotDecommissioned        Name = "not_decommissioned"
	BackupUnreadable         Name = "backup_unreadable"
	NotABackup               Name = "not_a_backup"
	UnsupportedVersion       Name = "unsupported_version"
	BackupTooLarge           Name = "backup_too_large"
	OlderState               Name = "older_state"
	BackupNotWritten         Name = "backup_not_written"
	WrongNode                Name = "wrong_node"
	WrongNetwork             Name = "wrong_network"
	UnsupportedKeyDerivation Name = "unsupported_key_derivation"
	DBIDConflict             Name = "dbid_conflict"
	ForeignChannel           Name = "open_channel_with_peer"
	NodeSyncing              Name = "node_syncing"
	HostedNodeAlive          Name = "hosted_node_alive"
	UnsupportedLightningd    Name = "unsupported_lightningd"
	OpeningRefused           Name = "opening_refused"
	NodeUnreachable          Name = "node_unreachable"
	WrongSecret              Name = "wrong_secret"
	SecretUnreadable         Name = "secret_unreadable"
	NeedsSecret              Name = "needs_secret"
	IncompleteChannel        Name = "incomplete_channel"
	Busy                     Name = "busy"
	UnknownChannel           Name = "unknown_channel"
	Unclaimed                Name = "output_unclaimed"
	PeerStale                Name = "peer_stale"
	RecordUnreadable         Name = "record_unreadable"
)

var codes = map[Name]int{
	Internal:                 CodeInternal,
	InvalidParameter:         CodeParams,
	NotDecommissioned:        3100,
	BackupUnreadable:         3101,
	NotABackup:               3102,
	UnsupportedVersion:       3103,
	BackupTooLarge:           3104,
	OlderState:               3105,
	BackupNotWritten:         3106,
	WrongNode:                3110,
	WrongNetwork:             3111,
	UnsupportedKeyDerivation: 3112,
	DBIDConflict:             3113,
	ForeignChannel:           3114,
	NodeSyncing:              3115,
	HostedNodeAlive:          3116,
	UnsupportedLightningd:    3117,
	IncompleteChannel:        3118,
	OpeningRefused:           3120,
	NodeUnreachable:          3121,
	Busy:                     3122,
	WrongSecret:              3130,
	SecretUnreadable:         3131,
	NeedsSecret:              3132,
	UnknownChannel:           3140,
	Unclaimed:                3141,
	PeerStale:                3142,
	RecordUnreadable:         3143,
}

// Code returns the JSON-RPC code of a failure's name; an unknown name has
// CodeInternal.
func (n Name) Code() int {
	if c, ok := codes[n]; ok {
		return c
	}
	return CodeInternal
}
