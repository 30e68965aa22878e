package lightningd

import (
	"errors"
	"strconv"
	"strings"
)

var errAmount = errors.New("not an amount in msat")

// Msat is an amount in millisatoshi. It is decoded from a JSON number (what
// lightningd writes) or a string "123msat" (what it wrote before v23.08), in
// both cases exactly, and encoded as a number.
type Msat uint64

// UnmarshalJSON reads both forms; signs, exponents and fractions are errors.
func (m *Msat) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if unquoted, ok := strings.CutPrefix(text, `"`); ok {
		text, ok = strings.CutSuffix(unquoted, `msat"`)
		if !ok {
			return errAmount
		}
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return errAmount
	}
	*m = Msat(v)
	return nil
}

// Sat is the whole satoshis in m, rounded down.
func (m Msat) Sat() uint64 { return uint64(m) / 1000 }
