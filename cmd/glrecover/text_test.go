package main

import (
	"testing"
	"time"

	"github.com/glrecover/glrecover/recovery/page"
)

func TestAmountsHaveSeparators(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 999: "999", 1000: "1,000", 999999: "999,999", 1234567: "1,234,567",
		2_100_000_000_000_000: "2,100,000,000,000,000",
	} {
		if got := page.Thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestAgesAreInALargeUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", 119 * time.Second: "just now", 2 * time.Minute: "2 minutes ago", 119 * time.Minute: "119 minutes ago",
		47 * time.Hour: "47 hours ago", 48 * time.Hour: "2 days ago", 4000 * 24 * time.Hour: "4,000 days ago",
		-time.Second: "in the future: is the clock of this machine right?",
	} {
		if got := age(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestTextFromAFileCannotDriveTheTerminal(t *testing.T) {
	if got := plain("a\x1b[2Jb\r\u202ec\nd\u00e9"); got != "a?[2Jb??c\nd\u00e9" {
		t.Errorf("got %q", got)
	}
}

func TestTablesAreAligned(t *testing.T) {
	table := table{indent: " "}
	table.row("A", "one\ntwo")
	table.row("Long", "three")
	if got, want := table.String(), " A     one\n       two\n Long  three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAmountsInSentencesHaveSeparators(t *testing.T) {
	for in, want := range map[string]string{
		"657924 sat of the peer's close are in the wallet; final at 100 confirmations (1 now)": "657,924 sat of the peer's close are in the wallet; final at 100 confirmations (1 now)",
		"at block 912345, 999 sat, 1000 sat and 1,234,567 sat":                                 "at block 912345, 999 sat, 1,000 sat and 1,234,567 sat",
		"min-emergency-msat=25000sat; 21000000000000000000000 sat; 12345 satellites":           "min-emergency-msat=25000sat; 21000000000000000000000 sat; 12345 satellites",
		"\x1b[31m 4096 sat": "?[31m 4,096 sat",
	} {
		if got := told(in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
