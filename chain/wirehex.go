package chain

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// decodeHex runs a wire decoder over hex text and insists that it uses all of
// it. Errors never quote the text.
func decodeHex(text string, decode func(io.Reader) error) error {
	src := strings.NewReader(text)
	r := hex.NewDecoder(src)
	if err := decode(r); err != nil {
		return errors.New("not a valid serialisation")
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return errors.New("trailing bytes")
	}
	return nil
}

// hexBytes is a JSON string of hex digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return errors.New("not hex")
	}
	*h = b
	return nil
}
