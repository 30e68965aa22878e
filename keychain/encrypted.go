package keychain

import (
	"errors"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20"
)

// The legacy encrypted hsm_secret (CLN common/hsm_secret.c): a libsodium
// secretstream with one message of 32 bytes.
const (
	encryptedSize = streamOverhead + secretSize

	// libsodium's crypto_pwhash_argon2id_OPSLIMIT_MODERATE and
	// MEMLIMIT_MODERATE (in KiB); libsodium always uses one lane.
	argonTime   = 3
	argonMemory = 256 << 10
)

var (
	errPassphrase = errors.New("wrong passphrase or damaged file")
	argonSalt     = []byte("c-lightning\x00\x00\x00\x00\x00")
)

// decrypt opens the 73 bytes of a legacy encrypted hsm_secret. It takes 256
// MiB of memory and about a second.
func decrypt(file, passphrase []byte) ([]byte, error) {
	if len(file) != encryptedSize {
		return nil, errPassphrase
	}
	key := argon2.IDKey(passphrase, argonSalt, argonTime, argonMemory, 1, chacha20.KeySize)
	defer clear(key)
	out, err := openStream(key, file)
	if err != nil {
		return nil, errPassphrase
	}
	return out, nil
}
