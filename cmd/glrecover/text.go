package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/glrecover/glrecover/recovery/page"
)

// plain makes a text safe for a terminal: what a file or an argument holds must
// not move the cursor or change colours. Line feeds stay.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// told is plain for a sentence that the recovery wrote.
func told(s string) string { return plain(page.Amounts(s)) }

// reason is an operating system's reason without its path.
func reason(err error) string {
	var (
		path *fs.PathError
		link *os.LinkError
	)
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return err.Error()
}

// age says how long ago something was, in the largest unit that fits twice.
func age(d time.Duration) string {
	if d < 0 {
		return "in the future: is the clock of this machine right?"
	}
	for _, unit := range []struct {
		d         time.Duration
		one, many string
	}{
		{24 * time.Hour, "day", "days"},
		{time.Hour, "hour", "hours"},
		{time.Minute, "minute", "minutes"},
	} {
		if d >= 2*unit.d {
			return page.Count(int(d/unit.d), unit.one, unit.many) + " ago"
		}
	}
	return "just now"
}

// table is a list of aligned lines "label  value".
type table struct {
	indent string
	rows   [][2]string
}

func (t *table) row(label, value string) { t.rows = append(t.rows, [2]string{label, value}) }

func (t *table) String() string {
	width := 0
	for _, r := range t.rows {
		width = max(width, len(r[0]))
	}
	var b strings.Builder
	for _, r := range t.rows {
		for i, line := range strings.Split(r[1], "\n") {
			label := r[0]
			if i > 0 {
				label = ""
			}
			b.WriteString(t.indent + label + strings.Repeat(" ", width-len(label)+2) + plain(line) + "\n")
		}
	}
	return b.String()
}

// complain prints lines to standard error.
func (c *cli) complain(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(c.stderr, "glrecover: %s\n", plain(line))
	}
}
