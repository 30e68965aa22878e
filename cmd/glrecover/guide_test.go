package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/page"
)

// The guide's table of states is the one that the report uses (-update writes it).
func TestTheGuideExplainsEveryStatus(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "recovery-guide.md")
	guide := string(mustRead(t, path))
	const head = "| in `glrecover status` | name | what it means |\n|---|---|---|\n"
	before, rest, ok := strings.Cut(guide, head)
	_, after, end := strings.Cut(rest, "\n\n")
	if !ok || !end {
		t.Fatal("the guide has no table of states")
	}
	rows := ""
	for _, state := range model.States {
		rows += fmt.Sprintf("| %s | `%s` | %s |\n", page.StateWords[string(state)], state, page.StateMeans[string(state)])
	}
	want := before + head + strings.TrimSuffix(rows, "\n") + "\n\n" + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if guide != want {
		t.Errorf("the table of states is not the one of this version:\n%s", rows)
	}
}
