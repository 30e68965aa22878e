package chain

import (
	"errors"
	"strings"
)

// maxSat is all bitcoin there can be, in sat.
const maxSat = 21_000_000 * 100_000_000

var errAmount = errors.New("not an amount in BTC with at most 8 decimals")

// ParseBTC reads an amount in BTC as bitcoind prints it ("0.00012345") into
// sat, exactly: digits, at most one point, at most 8 decimals. Signs, exponents
// and more than 21 million are errors.
func ParseBTC(s string) (sat uint64, err error) {
	whole, frac, point := strings.Cut(s, ".")
	if whole == "" || len(whole) > 8 || len(frac) > 8 || (point && frac == "") {
		return 0, errAmount
	}
	for _, c := range []byte(whole + frac + "00000000"[len(frac):]) {
		if c < '0' || c > '9' {
			return 0, errAmount
		}
		sat = sat*10 + uint64(c-'0')
	}
	if sat > maxSat {
		return 0, errAmount
	}
	return sat, nil
}

// btc is an amount in BTC inside bitcoind's JSON, kept in sat. No float ever
// holds it.
type btc uint64

func (b *btc) UnmarshalJSON(raw []byte) error {
	sat, err := ParseBTC(string(raw))
	if err != nil {
		return err
	}
	*b = btc(sat)
	return nil
}
