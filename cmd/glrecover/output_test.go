package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who stops a conversion finds no empty file, and a file that appears meanwhile stays.
func TestANewFileIsThereWhenItIsFinished(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	full := errors.New("no space left")
	err := writeNew(path, func(w io.Writer) error {
		if _, err := os.Lstat(path); err == nil {
			t.Error("it is there before it is written")
		}
		_, _ = io.WriteString(w, "half")
		return full
	})
	if write := (writeError{}); !errors.As(err, &write) || !errors.Is(err, full) || len(names()) > 0 {
		t.Errorf("%v, and there is %q", err, names())
	}
	err = writeNew(path, func(io.Writer) error { return os.WriteFile(path, []byte("another"), 0o600) })
	if err == nil || !strings.Contains(err.Error(), "exists already") || string(mustRead(t, path)) != "another" || len(names()) != 1 {
		t.Errorf("%v, and there is %q", err, names())
	}
}
