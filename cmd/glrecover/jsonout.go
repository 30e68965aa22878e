package main

import (
	"bytes"
	"encoding/json"
)

// writeJSON prints a value for programs.
func (c *cli) writeJSON(v any) error {
	data, err := indentedJSON(v)
	if err != nil {
		return err
	}
	return c.write(data)
}

// indentedJSON has two spaces of indent and a line feed at the end.
func indentedJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
