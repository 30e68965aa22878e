package claims_test

import (
	"testing"

	"github.com/glrecover/glrecover/recovery/claims"
)

// TestFeeratesAsCLNReadsThem: a number is per 1000 virtual bytes without suffix.
func TestFeeratesAsCLNReadsThem(t *testing.T) {
	for text, want := range map[string]struct {
		perKW uint32
		name  string
		bad   bool
	}{
		"":                 {},
		"253perkw":         {perKW: 253},
		"1000perkw":        {perKW: 1000},
		"4000perkb":        {perKW: 1000},
		"4000":             {perKW: 1000},
		"1":                {perKW: 253}, // CLN's floor
		"4001":             {perKW: 1001},
		"urgent":           {name: "urgent"},
		"6blocks":          {name: "6blocks"},
		"0blocks":          {bad: true},
		"-5":               {bad: true},
		"5 perkw":          {bad: true},
		"12345678901":      {bad: true},
		"quick":            {bad: true},
		"perkw":            {bad: true},
		"urgent\nslow":     {bad: true},
		"1e3perkw":         {bad: true},
		"unilateral_close": {name: "unilateral_close"},
	} {
		perKW, name, err := claims.ParseFeerate(text)
		if (err != nil) != want.bad || (err == nil && (perKW != want.perKW || name != want.name)) {
			t.Errorf("%q: %d, %q, %v", text, perKW, name, err)
		}
	}
}
