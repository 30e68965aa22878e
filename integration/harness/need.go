package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Programs that a scenario can need.
const (
	Lightningd = "lightningd"
	BitcoindD  = "bitcoind"
	BtcdD      = "btcd"
	LND        = "lnd"
	GLSigner   = "glsigner"
)

// RequireEnv names the environment variable that lists, separated by commas,
// what must be there: its absence is then a failure instead of a line.
const RequireEnv = "GLRECOVER_REQUIRE"

// LightningdDirsEnv names the environment variable that lists the directories
// of further lightningd releases (separated as PATH is), each with its programs
// in bin.
const LightningdDirsEnv = "GLRECOVER_LIGHTNINGD_DIRS"

// Release is a lightningd of GLRECOVER_LIGHTNINGD_DIRS.
type Release struct {
	// Dir is for CLNConfig.Release.
	Dir, Version string
}

// Releases are the releases of GLRECOVER_LIGHTNINGD_DIRS. What is not at hand
// is said in one line on standard error, or fails the scenario when
// GLRECOVER_REQUIRE names lightningd_dirs; without any, the scenario is left
// out.
func Releases(t Skipper) []Release {
	t.Helper()
	absent := func(format string, args ...any) {
		t.Helper()
		line := fmt.Sprintf("NOT RUN: "+t.Name()+" "+format, args...)
		if Required("lightningd_dirs") {
			t.Fatalf("%s, and %s=%s demands it", line, RequireEnv, os.Getenv(RequireEnv))
		}
		Say("%s", line)
	}
	var found []Release
	dirs := filepath.SplitList(os.Getenv(LightningdDirsEnv))
	if len(dirs) == 0 {
		absent("on older and newer releases of lightningd: %s lists none", LightningdDirsEnv)
	}
	for _, dir := range dirs {
		if _, ok := allIn(filepath.Join(dir, "bin"), "lightningd", "lightning-cli"); !ok {
			absent("on the release in %s: there is no bin/lightningd with bin/lightning-cli", dir)
			continue
		}
		out, err := exec.Command(filepath.Join(dir, "bin", "lightningd"), "--version").Output()
		if err != nil {
			t.Fatalf("the lightningd in %s: %v", dir, err)
		}
		found = append(found, Release{dir, strings.TrimSpace(string(out))})
	}
	if len(found) == 0 {
		t.Skipf("no other release of lightningd")
	}
	return found
}

// Need lets the scenario run if every program is at hand. If not, it says so
// in one line on standard error and leaves the scenario out, or fails it when
// GLRECOVER_REQUIRE names a missing program.
func Need(t Skipper, programs ...string) {
	t.Helper()
	missing, reason := Missing(programs...)
	if len(missing) == 0 {
		return
	}
	line := fmt.Sprintf("NOT RUN: %s needs %s (%s)", t.Name(), strings.Join(missing, ", "), reason)
	for _, m := range missing {
		if Required(m) {
			t.Fatalf("%s, and %s=%s demands it", line, RequireEnv, os.Getenv(RequireEnv))
		}
	}
	Say("%s", line)
	t.Skipf("%s", line)
}

// Say prints one line on standard error: what a run that passes could not
// show must not be silent.
func Say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Required reports whether GLRECOVER_REQUIRE names the program.
func Required(program string) bool {
	return slices.Contains(strings.Split(os.Getenv(RequireEnv), ","), program)
}

// Missing returns those of the programs that are not at hand, and why. What
// can be built is only built when GLRECOVER_REQUIRE names it.
func Missing(programs ...string) (missing []string, reason string) {
	var reasons []string
	for _, p := range programs {
		if err := find(p); err != nil {
			missing = append(missing, p)
			reasons = append(reasons, err.Error())
		}
	}
	return missing, strings.Join(reasons, "; ")
}

func find(program string) error {
	switch program {
	case Lightningd:
		if _, err := exec.LookPath("bitcoin-cli"); err != nil {
			return fmt.Errorf("lightningd reaches bitcoind through bitcoin-cli, which is not on PATH")
		}
		if err := onPath("lightning-cli"); err != nil {
			return err
		}
		return onPath("lightningd")
	case BitcoindD:
		return onPath("bitcoind")
	case BtcdD:
		_, err := btcdBinaries()
		return err
	case LND:
		_, err := lndBinaries()
		return err
	case GLSigner:
		_, err := signerBinaries()
		return err
	}
	return onPath(program)
}

func onPath(name string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s is not on PATH", name)
	}
	return nil
}

// built is a program set that is looked for, or made, once per process.
type built struct {
	once sync.Once
	path map[string]string
	err  error
}

// again forgets that nothing was found.
func (b *built) again() {
	if b.err != nil {
		*b = built{}
	}
}

func (b *built) get(make func() (map[string]string, error)) (map[string]string, error) {
	b.once.Do(func() { b.path, b.err = make() })
	return b.path, b.err
}

// allOnPath returns the paths of all names if each is on PATH.
func allOnPath(names ...string) (map[string]string, bool) {
	paths := map[string]string{}
	for _, n := range names {
		p, err := exec.LookPath(n)
		if err != nil {
			return nil, false
		}
		paths[n] = p
	}
	return paths, true
}

// allIn returns the paths of all names if each is an executable in dir.
func allIn(dir string, names ...string) (map[string]string, bool) {
	paths := map[string]string{}
	for _, n := range names {
		p := filepath.Join(dir, n)
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return nil, false
		}
		paths[n] = p
	}
	return paths, true
}

// cacheDir is where built programs are kept between test runs.
func cacheDir(name string) (string, error) {
	base := os.Getenv("GLRECOVER_CACHE")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(user, "glrecover")
	}
	dir := filepath.Join(base, name)
	return dir, os.MkdirAll(dir, 0o755)
}

// Root is the directory of the project's go.mod above the working
// directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "glrecover")); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return dir, nil
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("not inside the project's tree")
		}
		dir = up
	}
}
