package keychain

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/poly1305" //nolint:staticcheck // secretstream's padding differs from the AEAD's, so the MAC has to be made by hand
)

// A message of libsodium's crypto_secretstream_xchacha20poly1305: the stream's
// header, the encrypted tag byte, the encrypted message, and the MAC.
const (
	streamHeaderSize = 24
	streamTagSize    = 1
	streamMACSize    = 16
	streamOverhead   = streamHeaderSize + streamTagSize + streamMACSize
	chachaBlock      = 64
)

var errStream = errors.New("the key does not decrypt it, or it was changed")

// openStream opens the only message of a secretstream without additional data.
//
// The tag byte is the first of a block of 64 of which only it is stored: the
// other 63 are the keystream itself, so the block is put together again for the
// MAC. The padding after the message is as long as the message's last partial
// block, and not what fills it up; libsodium has kept this for compatibility.
func openStream(key, sealed []byte) ([]byte, error) {
	if len(sealed) < streamOverhead {
		return nil, errStream
	}
	header, body := sealed[:streamHeaderSize], sealed[streamHeaderSize:]
	mac := body[len(body)-streamMACSize:]
	tag, message := body[0], body[streamTagSize:len(body)-streamMACSize]

	subkey, err := chacha20.HChaCha20(key, header[:16])
	if err != nil {
		return nil, err
	}
	defer clear(subkey)
	// The nonce is the message counter, 1 in little endian, and the rest of the
	// header.
	nonce := append([]byte{1, 0, 0, 0}, header[16:]...)
	stream, err := chacha20.NewUnauthenticatedCipher(subkey, nonce)
	if err != nil {
		return nil, err
	}
	var first [chachaBlock]byte
	stream.XORKeyStream(first[:], first[:])
	var macKey [32]byte
	copy(macKey[:], first[:])
	defer clear(macKey[:])

	var block [chachaBlock]byte
	stream.XORKeyStream(block[:], block[:])
	plainTag := tag ^ block[0]
	block[0] = tag

	h := poly1305.New(&macKey)
	var sizes [16]byte
	binary.LittleEndian.PutUint64(sizes[8:], uint64(chachaBlock+len(message)))
	for _, part := range [][]byte{block[:], message, make([]byte, len(message)&15), sizes[:]} {
		if _, err := h.Write(part); err != nil {
			return nil, err
		}
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), mac) != 1 || plainTag != 0 {
		return nil, errStream
	}
	out := make([]byte, len(message))
	stream.XORKeyStream(out, message)
	return out, nil
}
