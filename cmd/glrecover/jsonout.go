package main

import (
	"bytes"
	"encoding/json"
	"io"
)

// writeJSON prints a value for programs.
func (c *cli) writeJSON(v any) error { return encodeJSON(result{c}, v) }

// result is where a command's result goes.
type result struct{ *cli }

func (r result) Write(data []byte) (int, error) { return len(data), r.write(data) }

// indentedJSON is the same text in memory.
func indentedJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	err := encodeJSON(&b, v)
	return b.Bytes(), err
}

// encodeJSON has two spaces of indent and a line feed at the end.
func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
