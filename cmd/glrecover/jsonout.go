package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/glrecover/glrecover/cores"
)

// writeJSON prints a value for programs.
func (c *cli) writeJSON(v any) error { return encodeJSON(result{c}, v) }

// encodeJSONList is encodeJSON of v with its list of n items under name, which v
// leaves empty: item i is made and encoded on whatever core is free.
func encodeJSONList(w io.Writer, v any, name string, n int, item func(i int) any) error {
	around, err := indentedJSON(v)
	if err != nil {
		return err
	}
	// No string of JSON has a line feed, so this is the member itself.
	before, after, found := bytes.Cut(around, []byte("\n  \""+name+"\": []"))
	switch {
	case n == 0:
		_, err = w.Write(around)
		return err
	case !found:
		return fmt.Errorf("the result has no empty list %q", name)
	}
	const run = 256
	texts := make([][]byte, (n+run-1)/run)
	err = cores.Each(len(texts), func(r int) error {
		var b bytes.Buffer
		for i := r * run; i < min(n, (r+1)*run); i++ {
			b.WriteString(",\n    ")
			// It indents as it goes, where encoding/json does it afterwards.
			err := json2.MarshalWrite(&b, item(i), jsontext.WithIndentPrefix("    "), jsontext.WithIndent("  "),
				jsontext.EscapeForJS(true), jsontext.AllowInvalidUTF8(true), json2.FormatNilSliceAsNull(true))
			if err != nil {
				return err
			}
		}
		texts[r] = b.Bytes()
		return nil
	})
	if err != nil {
		return err
	}
	texts[0] = texts[0][1:]
	if _, err := w.Write(fmt.Appendf(before, "\n  %q: [", name)); err != nil {
		return err
	}
	for _, text := range append(texts, append([]byte("\n  ]"), after...)) {
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

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
func encodeJSON(w io.Writer, v any) error { return encodeIndented(w, v, "") }

// encodeIndented is encodeJSON with what each line but the first begins with.
func encodeIndented(w io.Writer, v any, prefix string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	return enc.Encode(v)
}
