// Package packaging has the scripts that build and install a release, and their
// tests. It holds no code of the product.
package packaging

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program builds the product once for all tests here.
func program(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "glrecover")
	cmd := exec.Command("go", "build", "-o", out, "../cmd/glrecover")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return string(text)
}

// What lightning-cli help and lightningd look for is where they look.
func TestInstallAndPackagePutEachThingIntoItsPlace(t *testing.T) {
	glrecover := program(t)
	dest := t.TempDir()
	run(t, []string{"PROGRAM=" + glrecover, "DESTDIR=" + dest, "PREFIX=/opt/g", "PLUGINS=/opt/cln/libexec/c-lightning/plugins"}, "packaging/install")
	for _, file := range []string{
		"opt/g/bin/glrecover", "opt/g/share/man/man1/glrecover.1", "opt/g/share/man/man7/lightning-glrecover.7",
		"opt/g/share/man/man7/lightning-glrecover-status.7", "opt/g/share/bash-completion/completions/glrecover",
		"opt/g/share/zsh/site-functions/_glrecover", "opt/g/share/fish/vendor_completions.d/glrecover.fish",
	} {
		if info, err := os.Stat(filepath.Join(dest, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(dest, "opt/cln/libexec/c-lightning/plugins/glrecover")); err != nil || to != "/opt/g/bin/glrecover" {
		t.Errorf("the plugin is %q, %v", to, err)
	}

	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("no dpkg-deb here: the Debian package is not looked at")
	}
	share, dist := t.TempDir(), t.TempDir()
	run(t, nil, "packaging/share", glrecover, share)
	env := []string{"SOURCE_DATE_EPOCH=1700000000"}
	run(t, env, "packaging/deb", glrecover, share, "armv7", "v1.2.3-4-gabc", dist)
	deb := filepath.Join(dist, "glrecover_1.2.3+4+gabc_armhf.deb")
	first, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	run(t, env, "packaging/deb", glrecover, share, "armv7", "v1.2.3-4-gabc", dist)
	if again, err := os.ReadFile(deb); err != nil || !bytes.Equal(first, again) {
		t.Errorf("two packages of one program differ (%v)", err)
	}
	content, err := exec.Command("dpkg-deb", "--fsys-tarfile", deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
		if h.Uid != 0 || h.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%s is of user %d, %s", h.Name, h.Uid, h.ModTime)
		}
	}
	for _, want := range []string{
		"./usr/bin/glrecover", "./usr/libexec/c-lightning/plugins/glrecover", "./usr/share/man/man7/lightning-glrecover.7.gz",
		"./usr/share/zsh/vendor-completions/_glrecover", "./usr/share/doc/glrecover/copyright",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %s", want, strings.Join(names, " "))
		}
	}
}
