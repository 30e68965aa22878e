package lightningd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/glrecover/glrecover/failure"
)

// Param names one parameter of a method, in positional order.
type Param struct {
	Name     string
	Required bool
}

// Params are the parameters that a caller gave, as raw JSON. None is null.
type Params map[string]json.RawMessage

// ParseParams reads named ({}) or positional ([]) parameters. Unknown, double,
// null, missing and surplus ones are failures of name invalid_parameter.
func ParseParams(raw json.RawMessage, known []Param) (Params, error) {
	out := make(Params)
	if raw != nil {
		members, list, err := Split(raw)
		if err != nil {
			return nil, err
		}
		if list && len(members) > len(known) {
			return nil, failure.New(failure.InvalidParameter, "The parameters are: "+names(known),
				"%d parameters given, at most %d expected", len(members), len(known))
		}
		for i, m := range members {
			name := m.Name
			if list {
				name = known[i].Name
			}
			if err := out.add(name, m.Raw, known); err != nil {
				return nil, err
			}
		}
	}
	for _, k := range known {
		if _, ok := out[k.Name]; k.Required && !ok {
			return nil, failure.New(failure.InvalidParameter, "The parameters are: "+names(known),
				"missing parameter %q", k.Name)
		}
	}
	return out, nil
}

func (p Params) add(name string, raw json.RawMessage, known []Param) error {
	if !isKnown(name, known) {
		return failure.New(failure.InvalidParameter, fmt.Sprintf("Did you mean %q? The parameters are: %s",
			nearest(name, known), names(known)), "unknown parameter %.64q", name)
	}
	if _, ok := p[name]; ok {
		return failure.New(failure.InvalidParameter, "", "parameter %q is given twice", name)
	}
	if string(raw) == "null" {
		return failure.New(failure.InvalidParameter, "Leave the parameter out, or give it a value; give the others by name",
			"parameter %q is null", name)
	}
	p[name] = raw
	return nil
}

// Bool is a parameter that must be true or false, without quotes; false when
// it was not given.
func (p Params) Bool(name string) (bool, error) {
	switch string(p[name]) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, failure.New(failure.InvalidParameter, fmt.Sprintf("Write %s=true or %s=false, without quotes", name, name),
		"parameter %q is not true or false", name)
}

// String is a parameter that must be a JSON string and not empty; "" when it
// was not given.
func (p Params) String(name string) (string, error) {
	raw, ok := p[name]
	if !ok {
		return "", nil
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil || s == "" {
		return "", failure.New(failure.InvalidParameter, "", "parameter %q is not a string", name)
	}
	return s, nil
}

// Uint is a whole number from 0 to limit, nil where the parameter is missing; the
// text of one is taken too, as lightning-cli sends it with -o.
func (p Params) Uint(name string, limit uint64) (*uint64, error) {
	if len(p[name]) == 0 {
		return nil, nil
	}
	text, err := p.StringOrNumber(name)
	v, parseErr := strconv.ParseUint(text, 10, 64)
	if err != nil || parseErr != nil || v > limit {
		return nil, failure.New(failure.InvalidParameter, fmt.Sprintf("Write a whole number from 0 to %d", limit),
			"parameter %q is not a whole number in this range", name)
	}
	return &v, nil
}

// StringOrNumber is String, but takes a bare unsigned integer as typed too.
func (p Params) StringOrNumber(name string) (string, error) {
	raw := string(p[name])
	if raw != "" && len(raw) <= 20 && strings.Trim(raw, "0123456789") == "" {
		return raw, nil
	}
	return p.String(name)
}

// Strings is a parameter that must be a string or an array of strings.
func (p Params) Strings(name string) ([]string, error) {
	raw, ok := p[name]
	if !ok {
		return nil, nil
	}
	if raw[0] != '[' {
		s, err := p.String(name)
		return []string{s}, err
	}
	members, _, err := Split(raw)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range members {
		s, err := Params{name: m.Raw}.String(name)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// StringMap is a parameter that must be an object whose values are strings;
// double keys are an error.
func (p Params) StringMap(name string) (map[string]string, error) {
	raw, ok := p[name]
	if !ok {
		return nil, nil
	}
	bad := failure.New(failure.InvalidParameter, "", "parameter %q is not an object of strings", name)
	if raw[0] != '{' {
		return nil, bad
	}
	members, _, err := Split(raw)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(members))
	for _, m := range members {
		if _, ok := out[m.Name]; ok {
			return nil, failure.New(failure.InvalidParameter, "", "parameter %q has %.80q twice", name, m.Name)
		}
		s, err := Params{name: m.Raw}.String(name)
		if err != nil {
			return nil, bad
		}
		out[m.Name] = s
	}
	return out, nil
}

// Member is one member of an object, or one element of an array (no name).
type Member struct {
	Name string
	Raw  json.RawMessage
}

// Split takes an object or an array apart, keeping order, duplicates and the
// bytes of each value. Anything else is a failure of name invalid_parameter.
func Split(raw json.RawMessage) (members []Member, list bool, err error) {
	bad := paramsError("the parameters are neither an object nor an array")
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return nil, false, bad
	}
	list = open == json.Delim('[')
	for dec.More() {
		var m Member
		if !list {
			key, err := dec.Token()
			if err != nil {
				return nil, false, bad
			}
			m.Name, _ = key.(string) // an object's key can be nothing else
		}
		if err := dec.Decode(&m.Raw); err != nil {
			return nil, false, bad
		}
		members = append(members, m)
	}
	return members, list, nil
}

func rawValues(members []Member) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(members))
	for _, m := range members {
		out = append(out, m.Raw)
	}
	return out
}

func joinMembers(members []Member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(m.Name) // a string always encodes
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.Raw)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func isKnown(name string, known []Param) bool {
	for _, k := range known {
		if k.Name == name {
			return true
		}
	}
	return false
}

func names(known []Param) string {
	var list []string
	for _, k := range known {
		if k.Required {
			list = append(list, k.Name)
		} else {
			list = append(list, "["+k.Name+"]")
		}
	}
	return strings.Join(list, " ")
}

// nearest is the known parameter with the fewest edits from what was typed.
func nearest(typed string, known []Param) string {
	if len(typed) > 64 {
		typed = typed[:64]
	}
	best, fewest := "", -1
	for _, k := range known {
		if d := edits(typed, k.Name); fewest < 0 || d < fewest {
			best, fewest = k.Name, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
