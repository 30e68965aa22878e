package keychain

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/channel"
)

// diagnoseDigits tries the ways in which somebody types 64 hex digits wrong: one
// is another, two neighbours are exchanged, one is missing or too many, or
// letters stand for digits that look like them. It derives about a thousand
// node ids.
func diagnoseDigits(ctx context.Context, text []byte, want channel.PubKey) (Diagnosis, bool) {
	digits := bytes.ToLower(bytes.Join(bytes.Fields(text), nil))
	digits = bytes.TrimPrefix(digits, []byte("0x"))
	defer func() { clear(digits) }()
	const right = 2 * secretSize
	if len(digits) < right-1 || len(digits) > right+1 {
		return Diagnosis{}, false
	}
	var foreign []string
	for i, c := range digits {
		if isHex([]byte{c}) {
			continue
		}
		foreign = append(foreign, fmt.Sprint(i+1))
		switch c {
		case 'o':
			digits[i] = '0'
		case 'l', 'i', '|':
			digits[i] = '1'
		case 's':
			digits[i] = '5'
		case 'z':
			digits[i] = '2'
		case 'g', 'q':
			digits[i] = '9'
		}
	}
	if len(foreign) > 8 {
		return Diagnosis{}, false // no hex text at all
	}
	is := func(try []byte) bool {
		raw := make([]byte, secretSize)
		defer clear(raw)
		n, err := hex.Decode(raw, try)
		return err == nil && n == secretSize && makes(raw, want)
	}
	found := func(do, text string, args ...any) (Diagnosis, bool) {
		return Diagnosis{Mistake: DigitMistake, Certain: true, Found: fmt.Sprintf(text, args...), Do: do}, true
	}
	if len(foreign) > 0 && len(digits) == right && is(digits) {
		return found("Write the digits 0 to 9 and the letters a to f", "%s of the hex text is not a hex digit, but looks like one", placed(foreign))
	}
	if len(foreign) <= 1 {
		if d, ok := oneDigit(ctx, digits, is, found); ok {
			return d, true
		}
	}
	if len(foreign) > 0 {
		return Diagnosis{
			Mistake: DigitMistake, Found: placed(foreign) + " of the hex text is not a hex digit",
			Do: "Compare the digits with the original: 0 to 9 and a to f",
		}, true
	}
	return Diagnosis{}, false
}

// oneDigit undoes one mistake in hex digits.
func oneDigit(ctx context.Context, digits []byte, is func([]byte) bool, found func(do, text string, args ...any) (Diagnosis, bool)) (Diagnosis, bool) {
	const right = 2 * secretSize
	try := make([]byte, 0, right+2)
	defer func() { clear(try[:cap(try)]) }()
	for i := 0; i <= len(digits) && ctx.Err() == nil; i++ {
		switch {
		case len(digits) == right+1 && i < len(digits):
			try = append(append(try[:0], digits[:i]...), digits[i+1:]...)
			if is(try) {
				return found("Leave it out", "digit %d of the hex text does not belong there", i+1)
			}
		case len(digits) == right && i < len(digits):
			try = append(try[:0], digits...)
			if i+1 < len(digits) {
				try[i], try[i+1] = digits[i+1], digits[i]
				if is(try) {
					return found("Swap them", "digits %d and %d of the hex text are swapped", i+1, i+2)
				}
				try[i+1] = digits[i+1]
			}
			for _, c := range []byte("0123456789abcdef") {
				if try[i] = c; is(try) {
					return found("Compare it with the original", "digit %d of the hex text is wrong", i+1)
				}
			}
		case len(digits) == right-1:
			try = slices.Insert(append(try[:0], digits...), i, '0')
			for _, c := range []byte("0123456789abcdef") {
				if try[i] = c; is(try) {
					return found("Look for it", "digit %d of the hex text is missing", i+1)
				}
			}
		}
	}
	return Diagnosis{}, false
}

// placed names characters by their places.
func placed(places []string) string {
	if len(places) == 1 {
		return "character " + places[0]
	}
	return "each of the characters " + strings.Join(places, ", ")
}
