package lightningd_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
)

// typo is a misspelling on purpose.
const typo = "decomi" + "ssioned"

var known = []lightningd.Param{{Name: "backup", Required: true}, {Name: "decommissioned"}, {Name: "dry_run"}}

func TestParseParamsRefuses(t *testing.T) {
	for params, words := range map[string]string{
		`{"backup":"x","` + typo + `":true}`: `unknown parameter "` + typo + `". Did you mean "decommissioned"?`,
		`{"backup":"x","Backup":"y"}`:        `unknown parameter "Backup". Did you mean "backup"?`,
		`{"backup":"x","":1}`:                `unknown parameter ""`,
		`{"backup":"x","dry_run":null}`:      `parameter "dry_run" is null`,
		`["x",null]`:                         `parameter "decommissioned" is null`,
		`{"backup":"x","backup":"x"}`:        `parameter "backup" is given twice`,
		`{"decommissioned":true}`:            `missing parameter "backup". The parameters are: backup [decommissioned] [dry_run].`,
		`{}`:                                 `missing parameter "backup"`,
		`[]`:                                 `missing parameter "backup"`,
		``:                                   `missing parameter "backup"`,
		`["x",true,true,1]`:                  `4 parameters given, at most 3 expected`,
		`"x"`:                                `neither an object nor an array`,
		`null`:                               `neither an object nor an array`,
		`{"backup":"x","` + strings.Repeat("y", 1000) + `":1}`: `unknown parameter "yyyy`,
	} {
		var raw json.RawMessage
		if params != "" {
			raw = json.RawMessage(params)
		}
		_, err := lightningd.ParseParams(raw, known)
		if failure.NameOf(err) != failure.InvalidParameter || !strings.Contains(err.Error(), words) || len(err.Error()) > 300 {
			t.Errorf("%.60s: got %v, want %s", params, err, words)
		}
	}
}

func TestParseParamsKeepsTheBytesOfValues(t *testing.T) {
	const value = "{\"v\":18446744073709551615,\n\n\"a\":1.0}"
	for _, params := range []string{"{ \"dry_run\" : true ,\n\n \"backup\" :\n " + value + " }", "[ " + value + " ]"} {
		p, err := lightningd.ParseParams(json.RawMessage(params), known)
		if err != nil || string(p["backup"]) != value {
			t.Errorf("%s: got %s %v", params, p["backup"], err)
		}
	}
}

func TestTypedParameters(t *testing.T) {
	parse := func(value string) lightningd.Params { return lightningd.Params{"p": json.RawMessage(value)} }
	type reader func(lightningd.Params) (any, error)
	readers := map[string]reader{
		"bool":    func(p lightningd.Params) (any, error) { return p.Bool("p") },
		"string":  func(p lightningd.Params) (any, error) { return p.String("p") },
		"number":  func(p lightningd.Params) (any, error) { return p.StringOrNumber("p") },
		"strings": func(p lightningd.Params) (any, error) { return p.Strings("p") },
		"map":     func(p lightningd.Params) (any, error) { return p.StringMap("p") },
	}
	const refused = "refused"
	for _, c := range []struct{ kind, value, want string }{
		{"bool", `true`, "true"},
		{"bool", `false`, "false"},
		{"bool", `"true"`, refused},
		{"bool", `1`, refused},
		{"bool", `"yes"`, refused},
		{"bool", `{}`, refused},
		{"string", `"a\u0062"`, "ab"},
		{"string", `""`, refused},
		{"string", `7`, refused},
		{"string", `["a"]`, refused},
		{"number", `253`, "253"},
		{"number", `18446744073709551615`, "18446744073709551615"},
		{"number", `"253perkw"`, "253perkw"},
		{"number", `-1`, refused},
		{"number", `1.5`, refused},
		{"number", `1e3`, refused},
		{"number", `true`, refused},
		{"number", `184467440737095516150`, refused},
		{"strings", `"a"`, "[a]"},
		{"strings", `["a","b"]`, "[a b]"},
		{"strings", `[]`, "[]"},
		{"strings", `["a",1]`, refused},
		{"strings", `["a",null]`, refused},
		{"strings", `{"a":"b"}`, refused},
		{"map", `{"a":"b","c":"d"}`, "map[a:b c:d]"},
		{"map", `{}`, "map[]"},
		{"map", `{"a":"b","a":"c"}`, refused},
		{"map", `{"a":1}`, refused},
		{"map", `["a"]`, refused},
		{"map", `"a"`, refused},
	} {
		got, err := readers[c.kind](parse(c.value))
		if c.want == refused {
			if failure.NameOf(err) != failure.InvalidParameter {
				t.Errorf("%s %s: got %v, %v", c.kind, c.value, got, err)
			}
		} else if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s %s: got %v, %v", c.kind, c.value, got, err)
		}
	}
	for kind, read := range readers {
		got, err := read(lightningd.Params{})
		if err != nil || strings.Trim(fmt.Sprint(got), "[]map") != "" && got != false {
			t.Errorf("%s left out: got %v, %v", kind, got, err)
		}
	}
}
