package failure_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

// TestDocsListEachFailure: docs/errors.md has each name with its code, and
// nothing else.
func TestDocsListEachFailure(t *testing.T) {
	raw, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[failure.Name]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (-?\\d+) \\|").FindAllStringSubmatch(string(raw), -1) {
		code, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		listed[failure.Name(m[1])] = code
	}
	codes := failure.Codes()
	for name, code := range codes {
		if got, ok := listed[name]; !ok || got != code {
			t.Errorf("%s has code %d, docs/errors.md says %d (listed: %v)", name, code, got, ok)
		}
	}
	for name := range listed {
		if _, ok := codes[name]; !ok {
			t.Errorf("docs/errors.md lists %s, which does not exist", name)
		}
	}
}

func TestNoTwoFailuresShareACode(t *testing.T) {
	seen := map[int]failure.Name{}
	for name, code := range failure.Codes() {
		if other, ok := seen[code]; ok {
			t.Errorf("%s and %s have code %d", name, other, code)
		}
		seen[code] = name
		if name.Code() != code {
			t.Errorf("%s.Code() = %d, want %d", name, name.Code(), code)
		}
	}
}

func TestAMessageBeginsWithItsName(t *testing.T) {
	err := failure.New(failure.WrongNode, "Do this", "found %d things", 2).Wrap(os.ErrNotExist)
	if got, want := err.Error(), "wrong_node: found 2 things. Do this."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if failure.NameOf(err) != failure.WrongNode || !strings.HasPrefix(err.Error(), string(failure.WrongNode)) {
		t.Error("the name is lost")
	}
	if failure.Name("no_such_name").Code() != failure.CodeInternal {
		t.Error("an unknown name has another code than internal_error")
	}
}
