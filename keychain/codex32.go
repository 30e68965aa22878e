package keychain

import (
	"bytes"
	"errors"
)

// codex32 (BIP 93) of an unshared secret of 32 bytes, with the prefix "cl" that
// lightningd --recover takes and lightning-hsmtool getsecret writes.
const (
	codexPrefix = "cl"
	// codexID is the identifier that we write; any four letters are accepted.
	codexID        = "glre"
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumSize   = 13
	// threshold, identifier, share index, payload, checksum
	codexDataSize = 1 + 4 + 1 + 52 + checksumSize
)

var errCodex32 = errors.New("not a codex32 secret of 32 bytes")

// The 65-bit checksum of BIP 93: the residue is a polynomial of 13 symbols of
// 5 bits. It does not fit 64 bits, so it is kept as symbols, highest first.
type residue [checksumSize]byte

var (
	// codexGenerator has the coefficients of x^12 to x^0 of the generating
	// polynomial (BIP 93, "Mathematical Companion").
	codexGenerator = symbols("em3gqeeelmcss")
	codexTarget    = symbols("secretshare32")
)

func symbols(s string) (r residue) {
	for i := range r {
		r[i] = byte(bytes.IndexByte([]byte(bech32Alphabet), s[i]))
	}
	return r
}

// gfMul multiplies in GF(32) with the reduction of bech32, x^5 + x^3 + 1.
func gfMul(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		a <<= 1
		if a&32 != 0 {
			a ^= 0b101001
		}
	}
	return product
}

func (r *residue) add(symbol byte) {
	top := r[0]
	copy(r[:], r[1:])
	r[checksumSize-1] = symbol
	for i, g := range codexGenerator {
		r[i] ^= gfMul(g, top)
	}
}

// checksumOf starts from 1, takes the prefix as bech32 does, and the symbols.
func checksumOf(prefix string, data []byte) residue {
	r := residue{checksumSize - 1: 1}
	for _, c := range []byte(prefix) {
		r.add(c >> 5)
	}
	r.add(0)
	for _, c := range []byte(prefix) {
		r.add(c & 31)
	}
	for _, s := range data {
		r.add(s)
	}
	return r
}

// encodeCodex32 writes an unshared secret of 32 bytes.
func encodeCodex32(prefix, id string, secret []byte) string {
	data := make([]byte, 0, codexDataSize)
	for _, c := range []byte("0" + id + "s") {
		data = append(data, byte(bytes.IndexByte([]byte(bech32Alphabet), c)))
	}
	payload := toSymbols(secret)
	defer clear(payload)
	data = append(data, payload...)
	// The checksum is what, appended, makes the residue the target.
	r := checksumOf(prefix, data)
	for _, s := range codexTarget {
		r.add(s)
	}
	data = append(data, r[:]...)
	defer clear(data)
	out := make([]byte, 0, len(prefix)+1+len(data))
	out = append(append(out, prefix...), '1')
	for _, s := range data {
		out = append(out, bech32Alphabet[s])
	}
	defer clear(out)
	return string(out)
}

// decodeCodex32 reads an unshared secret of 32 bytes, in one case. BIP 93
// discards the four padding bits, whatever they are.
func decodeCodex32(prefix string, text []byte) ([]byte, error) {
	lower, upper := bytes.ToLower(text), bytes.ToUpper(text)
	defer clear(lower)
	defer clear(upper)
	if !bytes.Equal(text, lower) && !bytes.Equal(text, upper) {
		return nil, errCodex32
	}
	rest, ok := bytes.CutPrefix(lower, []byte(prefix+"1"))
	if !ok || len(rest) != codexDataSize {
		return nil, errCodex32
	}
	data := make([]byte, codexDataSize)
	defer clear(data)
	for i, c := range rest {
		s := bytes.IndexByte([]byte(bech32Alphabet), c)
		if s < 0 {
			return nil, errCodex32
		}
		data[i] = byte(s)
	}
	if checksumOf(prefix, data) != codexTarget || rest[0] != '0' || rest[5] != 's' {
		return nil, errCodex32
	}
	return fromSymbols(data[6 : codexDataSize-checksumSize]), nil
}

// toSymbols cuts bytes into groups of five bits, padded with zero bits.
func toSymbols(data []byte) []byte {
	out := make([]byte, 0, (8*len(data)+4)/5)
	var acc, bits uint
	for _, b := range data {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			out = append(out, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		out = append(out, byte(acc<<(5-bits))&31)
	}
	return out
}

// fromSymbols is the inverse; an incomplete byte at the end is dropped.
func fromSymbols(symbols []byte) []byte {
	out := make([]byte, 0, len(symbols)*5/8)
	var acc, bits uint
	for _, s := range symbols {
		acc, bits = acc<<5|uint(s), bits+5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}
