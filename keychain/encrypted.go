package keychain

import (
	"errors"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// The legacy encrypted hsm_secret (CLN common/hsm_secret.c): a libsodium
// secretstream header and one message of 32 bytes with its tag byte and MAC.
const (
	streamHeaderSize = 24
	encryptedSize    = streamHeaderSize + 1 + secretSize + chacha20poly1305.Overhead

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
//
// A secretstream message whose length is a multiple of 16 is a plain
// ChaCha20-Poly1305 box around a 64-byte block (the tag byte and zeros) and
// the message, of which block only the first byte is stored: the other 63 are
// the keystream itself. So we put the block together again and open the box.
func decrypt(file, passphrase []byte) ([]byte, error) {
	if len(file) != encryptedSize {
		return nil, errPassphrase
	}
	header, body := file[:streamHeaderSize], file[streamHeaderSize:]
	key := argon2.IDKey(passphrase, argonSalt, argonTime, argonMemory, 1, chacha20.KeySize)
	defer clear(key)
	subkey, err := chacha20.HChaCha20(key, header[:16])
	if err != nil {
		return nil, err
	}
	defer clear(subkey)
	// The nonce is the message counter, 1 in little endian, and the rest of
	// the header.
	nonce := append([]byte{1, 0, 0, 0}, header[16:]...)
	stream, err := chacha20.NewUnauthenticatedCipher(subkey, nonce)
	if err != nil {
		return nil, err
	}
	stream.SetCounter(1)
	const block = 64
	box := make([]byte, block, block+secretSize+chacha20poly1305.Overhead)
	stream.XORKeyStream(box, box)
	box[0] = body[0]
	box = append(box, body[1:]...)

	aead, err := chacha20poly1305.New(subkey)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce, box, nil)
	if err != nil {
		return nil, errPassphrase
	}
	defer clear(plain)
	out := make([]byte, secretSize)
	copy(out, plain[block:])
	return out, nil
}
