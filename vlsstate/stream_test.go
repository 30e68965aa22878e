package vlsstate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/glrecover/glrecover/failure"
)

// What stands around the entries may come in any order: another tool may have
// sorted it.
func TestTheEnvelopeMayComeInAnyOrder(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	text := string(load(t, path))
	want := parsed(t, path)
	head, state, ok := strings.Cut(text, `"state": `)
	if !ok {
		t.Fatal("no state")
	}
	state = strings.TrimSuffix(strings.TrimSpace(state), "}")
	for name, sorted := range map[string]string{
		"state first":    `{"state": ` + state + "," + strings.TrimSuffix(strings.TrimSpace(head)[1:], ",") + "}",
		"version last":   `{` + strings.Replace(strings.TrimSpace(head)[1:], `"version": 1,`, "", 1) + `"state": ` + state + `,"version":1}`,
		"all in one row": strings.Join(strings.Fields(text), " "),
	} {
		got, err := Parse([]byte(sorted))
		if err != nil || len(got.Problems) != 0 || !reflect.DeepEqual(got.Channels, want.Channels) || !reflect.DeepEqual(got.Entries, want.Entries) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]string{
		"state twice":   strings.Replace(text, `"state": `, `"state": {"values": {}}, "state": `, 1),
		"values twice":  strings.Replace(text, `"values": `, `"values": {}, "values": `, 1),
		"values a list": strings.Replace(text, `"values": {`, `"values": [], "entries": {`, 1),
		"no values":     strings.Replace(text, `"values": {`, `"entries": {`, 1),
		"state null":    strings.Replace(text, `"state": {`, `"state": null, "was": {`, 1),
		"more in state": strings.Replace(text, `"values": {`, `"more": 1, "values": {`, 1),
	} {
		if b, err := Parse([]byte(bad)); failure.NameOf(err) != failure.NotABackup || b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// broken is a text that ends with an error of the disk.
type broken struct {
	text io.Reader
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestAFileThatBreaksOffWhileItIsReadIsUnreadable(t *testing.T) {
	text := load(t, filepath.Join(corpus, "three-peers", "backup.json"))
	for _, n := range []int{0, 1, 100, len(text) / 2, len(text) - 3, len(text)} {
		_, err := ReadAny(&broken{bytes.NewReader(text[:n]), errors.New("input/output error")})
		if failure.NameOf(err) != failure.BackupUnreadable || !strings.Contains(err.Error(), "input/output error") {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestALaterVersionIsToldBeforeTheRestIsRead(t *testing.T) {
	src := &endless{}
	text := io.MultiReader(strings.NewReader(`{"version": 2, "state": "`), src)
	if _, err := ReadAny(text); failure.NameOf(err) != failure.UnsupportedVersion || src.taken > 1<<20 {
		t.Errorf("%v after %d bytes", err, src.taken)
	}
}

// Names that are not in order, or have escapes, make the same canonical form.
func TestAnIndexIsOfTheCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		` {"b": [1, {"d":"\u00e9", "c":"\\\""}], "a": {} } `: `{"a":{},"b":[1,{"c":"\\\"","d":"é"}]}`,
		`{"\u0061":1,"B":2}`:               `{"B":2,"a":1}`,
		`[18446744073709551615, -0, 1.50]`: `[18446744073709551615,-0,1.50]`,
		`{"a":1,"a":2}`:                    ``,
		`{"b":{"a":1,"\u0061":2}}`:         ``,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth):     strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1): ``,
	} {
		var x, y index
		err := x.read([]byte(in))
		if again := y.readJSON([]byte(in)); fmt.Sprint(again) != fmt.Sprint(err) {
			t.Errorf("%s: %v without looking for faults, %v else", in, again, err)
		}
		if want == "" {
			if err == nil {
				t.Errorf("%s: no complaint", in)
			}
			continue
		}
		if err != nil || string(x.text) != want || !reflect.DeepEqual(x, y) || string(x.raw(0)) != want || int(x.vals[0].next) != len(x.vals) {
			t.Errorf("%s: %s (%v)", in, x.text, err)
		}
	}
}

// What a decoder lets through is indexed without looking for faults, and the index
// is the same.
func FuzzIndex(f *testing.F) {
	for _, seed := range []string{
		"{\n  \"a\": [1, -2.5e3,\t18446744073709551615 ],\r\n \"b\":{\"c\" : null}}", `[ "\u0041" , "\\" ,"é", "", true,false ]`, `{"b":1,"a":[]}`, ` 12345678901234567890 `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		raw, err := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true)).ReadValue()
		if err != nil {
			return
		}
		var x, y index
		errX, errY := x.read(raw), y.readJSON(raw)
		if fmt.Sprint(errX) != fmt.Sprint(errY) || errX == nil && (string(x.text) != string(y.text) || !slices.Equal(x.vals, y.vals) || x.odd != y.odd) {
			t.Errorf("%v, %v", errX, errY)
		}
	})
}
