package peer

import (
	"bytes"
	"strings"
)

// maxText bounds what is kept of a text from outside, in bytes.
const maxText = 400

// printable makes a peer's bytes safe to show and to log: runs of anything but
// printable ASCII become one '?', and the rest is cut at maxText bytes, marked
// with "...". BOLT 1 allows only printable ASCII in error and warning.
func printable(data []byte) string {
	// Some implementations send C strings.
	data = bytes.TrimRight(data, "\x00")
	var b strings.Builder
	replaced := false
	for _, c := range data {
		if b.Len() == maxText {
			return b.String()[:maxText-3] + "..."
		}
		if c >= ' ' && c <= '~' {
			b.WriteByte(c)
			replaced = false
			continue
		}
		if !replaced {
			b.WriteByte('?')
		}
		replaced = true
	}
	return b.String()
}

func printableError(err error) string { return printable([]byte(err.Error())) }
