package lightningd

import "context"

// Entry is one entry of lightningd's datastore.
type Entry struct {
	Key        []string `json:"key"`
	Generation uint64   `json:"generation"`
	// Value is nil for a key that only has children.
	Value Hex `json:"hex"`
}

// DatastoreMode says what Datastore requires of the key (CLN, datastore).
type DatastoreMode string

// The modes that never lose what another writer stored.
const (
	MustCreate      DatastoreMode = "must-create"
	MustReplace     DatastoreMode = "must-replace"
	CreateOrReplace DatastoreMode = "create-or-replace"
)

// Codes of *RPCError that the datastore methods answer
// (common/jsonrpc_errors.h).
const (
	CodeDatastoreDelDoesNotExist    = 1200
	CodeDatastoreDelWrongGeneration = 1201
	CodeDatastoreUpdateExists       = 1202
	CodeDatastoreUpdateMissing      = 1203
	CodeDatastoreUpdateWrongGen     = 1204
	CodeDatastoreUpdateHasChildren  = 1205
	CodeDatastoreUpdateNoChildren   = 1206
)

type listdatastore struct {
	Key []string `json:"key,omitempty"`
}

func (listdatastore) Name() string { return "listdatastore" }

// ListDatastore calls listdatastore: the entry of the key, and its immediate
// children.
func (c *Client) ListDatastore(ctx context.Context, key ...string) ([]Entry, error) {
	out, err := get[struct {
		Datastore []Entry `json:"datastore"`
	}](ctx, c, listdatastore{key})
	if err != nil {
		return nil, err
	}
	return out.Datastore, nil
}

type datastore struct {
	Key        []string      `json:"key"`
	Hex        Hex           `json:"hex"`
	Mode       DatastoreMode `json:"mode,omitempty"`
	Generation *uint64       `json:"generation,omitempty"`
}

func (datastore) Name() string { return "datastore" }

// Datastore stores a value. generation, for MustReplace only, is the one that
// the entry must have; nil for any.
func (c *Client) Datastore(ctx context.Context, key []string, value []byte, mode DatastoreMode, generation *uint64) (*Entry, error) {
	return get[Entry](ctx, c, datastore{key, value, mode, generation})
}

type deldatastore struct {
	Key        []string `json:"key"`
	Generation *uint64  `json:"generation,omitempty"`
}

func (deldatastore) Name() string { return "deldatastore" }

// DelDatastore deletes an entry, of the given generation where it is not nil.
func (c *Client) DelDatastore(ctx context.Context, key []string, generation *uint64) error {
	return c.call(ctx, deldatastore{key, generation}, nil)
}
