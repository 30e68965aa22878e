package scbconv

import (
	"crypto/sha3"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// A Tor v3 address is an ed25519 key (32 bytes), a checksum (2) and the version
// (1), in base32 with the suffix .onion (Tor rend-spec-v3, section 6).
const (
	onionSize    = 35
	onionText    = 56
	onionVersion = 3
	onionSuffix  = ".onion"
)

var onionEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// cutOnion splits off the suffix, in any case of letters; the rest is
// lower-case.
func cutOnion(host string) (name string, isOnion bool) {
	return strings.CutSuffix(strings.ToLower(host), onionSuffix)
}

func decodeOnion(name string) (string, error) {
	switch len(name) {
	case onionText:
	case 16:
		return "", errors.New("a Tor v2 address; Tor v2 no longer exists")
	default:
		return "", fmt.Errorf("an onion address has %d letters and digits", onionText)
	}
	raw, err := onionEncoding.DecodeString(name)
	if err != nil || len(raw) != onionSize { // the decoder passes over line ends
		return "", errors.New("an onion address has only letters and the digits 2 to 7")
	}
	return string(raw), checkOnion(string(raw))
}

func encodeOnion(raw string) string {
	return onionEncoding.EncodeToString([]byte(raw)) + onionSuffix
}

func checkOnion(raw string) error {
	if raw[onionSize-1] != onionVersion {
		return errors.New("an onion address of another version than 3")
	}
	sum := sha3.Sum256([]byte(".onion checksum" + raw[:32] + raw[onionSize-1:]))
	if raw[32:34] != string(sum[:2]) {
		return errors.New("an onion address with a wrong checksum: a letter is mistyped")
	}
	return nil
}
