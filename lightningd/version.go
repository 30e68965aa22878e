package lightningd

import (
	"fmt"
	"regexp"
	"strconv"
)

// Version is a Core Lightning release: year, month and point release.
type Version struct{ Year, Month, Point int }

// MinVersion is the oldest lightningd that reads the SCB format that glrecover
// writes.
var MinVersion = Version{Year: 25, Month: 2}

// versionForm is what `git describe`, release builds ("v25.02", "v25.02.1rc2",
// "v25.02-mod", "v25.02-17-gabcdef0-modded") and vendors ("basedon-v25.02",
// "v24.11gl1") make of a version.
var versionForm = regexp.MustCompile(`^(?:[a-z]+-)?v?([0-9]{1,4})\.([0-9]{1,2})(?:\.([0-9]{1,4}))?(?:[-+~a-zA-Z].*)?$`)

// ParseVersion reads the version that lightningd reports. Release candidates
// and builds between releases count as the release that they name.
func ParseVersion(s string) (Version, error) {
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("%.40q is not a Core Lightning version", s)
	}
	var v Version
	for i, field := range []*int{&v.Year, &v.Month, &v.Point} {
		if m[i+1] != "" {
			*field, _ = strconv.Atoi(m[i+1]) // at most four digits
		}
	}
	return v, nil
}

// String returns "v25.02" or "v25.02.1".
func (v Version) String() string {
	if v.Point == 0 {
		return fmt.Sprintf("v%d.%02d", v.Year, v.Month)
	}
	return fmt.Sprintf("v%d.%02d.%d", v.Year, v.Month, v.Point)
}

// AtLeast reports whether v is w or newer.
func (v Version) AtLeast(w Version) bool {
	if v.Year != w.Year {
		return v.Year > w.Year
	}
	if v.Month != w.Month {
		return v.Month > w.Month
	}
	return v.Point >= w.Point
}
