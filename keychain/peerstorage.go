package keychain

import (
	"errors"
	"fmt"
)

// MaxPeerStorage is the largest blob in bytes that a peer can return: a
// Lightning message has 65535 (BOLT 1, peer_storage).
const MaxPeerStorage = 65535

// ErrPeerStorage says that a blob is not one that this node made.
var ErrPeerStorage = errors.New("not a backup of this node")

// OpenPeerStorage decrypts the backup that a CLN node gave its peers, or its
// emergency.recover file (CLN plugins/chanbackup.c): a secretstream under the
// secret that makesecret gives for "scb secret". scbconv reads what comes out.
// The error matches ErrPeerStorage where the blob is of another node, of
// another implementation, or was changed.
func (s *Secret) OpenPeerStorage(blob []byte) ([]byte, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	if len(blob) > MaxPeerStorage {
		return nil, fmt.Errorf("%w: %d bytes", ErrPeerStorage, len(blob))
	}
	base, err := derive(secret, nil, "derived secrets", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(base)
	key, err := derive(base, nil, "scb secret", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	out, err := openStream(key, blob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeerStorage, err)
	}
	return out, nil
}
