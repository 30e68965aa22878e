package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// lndVersion is the release that scenarios use as a peer; integration/lnd
// pins it, and the cache directory carries it.
const lndVersion = "v0.20.1-beta"

// btcdVersion is the commit of btcd that lnd pins, short, as integration/lnd has
// it; the cache directory carries it.
const btcdVersion = "4f4ea81776d6"

// lndTags are the build tags of lnd's own release builds that the scenarios
// need.
const lndTags = "signrpc,walletrpc,chainrpc,invoicesrpc"

var (
	lndBuilt    built
	btcdBuilt   built
	signerBuilt built
	pluginBuilt built
	helperBuilt built
)

// lndBinaries finds lnd and lncli on PATH or in the cache, or builds them
// from the module proxy when GLRECOVER_REQUIRE names lnd.
func lndBinaries() (map[string]string, error) {
	return lndBuilt.get(func() (map[string]string, error) {
		return fromModules(LND, "lnd-"+lndVersion, []string{"lnd", "lncli"}, "-tags", lndTags,
			"github.com/lightningnetwork/lnd/cmd/lnd", "github.com/lightningnetwork/lnd/cmd/lncli")
	})
}

// btcdBinaries finds btcd on PATH or in the cache, or builds it from the module
// proxy when GLRECOVER_REQUIRE names btcd.
func btcdBinaries() (map[string]string, error) {
	return btcdBuilt.get(func() (map[string]string, error) {
		return fromModules(BtcdD, "btcd-"+btcdVersion, []string{"btcd"}, "github.com/btcsuite/btcd")
	})
}

// fromModules finds programs on PATH or in the cache, or builds them in the
// module integration/lnd when GLRECOVER_REQUIRE names program.
func fromModules(program, cache string, names []string, build ...string) (map[string]string, error) {
	if p, ok := allOnPath(names...); ok {
		return p, nil
	}
	dir, err := cacheDir(cache)
	if err != nil {
		return nil, err
	}
	if p, ok := allIn(dir, names...); ok {
		return p, nil
	}
	if !Required(program) {
		return nil, fmt.Errorf("%s is neither on PATH nor built: go run ./integration/cmd/glr-build %[1]s", program)
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	if err := goBuild(filepath.Join(root, "integration", "lnd"), dir+string(filepath.Separator), build...); err != nil {
		return nil, err
	}
	p, ok := allIn(dir, names...)
	if !ok {
		return nil, fmt.Errorf("%s's build left no program", program)
	}
	return p, nil
}

// signerBinaries finds gl-hsmd and gl-tool on PATH or in the cache, or builds
// them with cargo when GLRECOVER_REQUIRE names glsigner.
func signerBinaries() (map[string]string, error) {
	return signerBuilt.get(func() (map[string]string, error) {
		if p, ok := allOnPath("gl-hsmd", "gl-tool"); ok {
			return p, nil
		}
		target := os.Getenv("CARGO_TARGET_DIR")
		if target == "" {
			var err error
			if target, err = cacheDir("glsigner"); err != nil {
				return nil, err
			}
		}
		if p, ok := allIn(filepath.Join(target, "debug"), "gl-hsmd", "gl-tool"); ok {
			return p, nil
		}
		if !Required(GLSigner) {
			return nil, fmt.Errorf("gl-hsmd and gl-tool are neither on PATH nor built: go run ./integration/cmd/glr-build glsigner")
		}
		for _, tool := range []string{"cargo", "protoc"} {
			if err := onPath(tool); err != nil {
				return nil, fmt.Errorf("gl-hsmd is not built and %w", err)
			}
		}
		root, err := Root()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("cargo", "build", "--locked")
		cmd.Dir = filepath.Join(root, "integration", "glsigner")
		cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+target)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("cargo build: %w\n%s", err, lastLines(out, 20))
		}
		p, ok := allIn(filepath.Join(target, "debug"), "gl-hsmd", "gl-tool")
		if !ok {
			return nil, fmt.Errorf("cargo left no program")
		}
		return p, nil
	})
}

// tempDirs are removed by Main; guarded by tempMu.
var (
	tempMu   sync.Mutex
	tempDirs []string
)

// Main runs the tests of a package (m.Run) and removes afterwards what was
// built for them.
func Main(run func() int) int {
	code := run()
	for _, dir := range tempDirs {
		_ = os.RemoveAll(dir)
	}
	return code
}

// cost is what a person should know before a build begins.
var cost = map[string]string{
	LND:      "building lnd from Go's module proxy, once: about 155 MB and some minutes",
	BtcdD:    "building btcd from Go's module proxy, once: less than a minute",
	GLSigner: "building the Greenlight signer with cargo, once: some minutes",
}

// Build makes lnd, btcd or glsigner now, whatever GLRECOVER_REQUIRE says, unless
// it is at hand. say is told before a build begins.
func Build(program string, say func(line string)) (map[string]string, error) {
	if line := cost[program]; line != "" && find(program) != nil {
		say(line)
		for _, b := range []*built{&lndBuilt, &btcdBuilt, &signerBuilt} {
			b.again()
		}
	}
	if err := os.Setenv(RequireEnv, os.Getenv(RequireEnv)+","+program); err != nil {
		return nil, err
	}
	switch program {
	case LND:
		return lndBinaries()
	case BtcdD:
		return btcdBinaries()
	case GLSigner:
		return signerBinaries()
	}
	return nil, fmt.Errorf("cannot build %s", program)
}

// PluginBinary is the product: GLRECOVER_PLUGIN if that is set, else built
// from this tree once per process, statically as `make build` does.
func PluginBinary(t TB) string {
	t.Helper()
	return program(t, &pluginBuilt, "GLRECOVER_PLUGIN", "glrecover", "./cmd/glrecover")
}

// helperBinary is the scenarios' own test plugin.
func helperBinary(t TB) string {
	t.Helper()
	return program(t, &helperBuilt, "GLRECOVER_HELPER", "glr-testplugin", "./integration/cmd/glr-testplugin")
}

func program(t TB, b *built, env, name, pkg string) string {
	t.Helper()
	if p := os.Getenv(env); p != "" {
		return p
	}
	paths, err := b.get(func() (map[string]string, error) {
		root, err := Root()
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "glr-build-")
		if err != nil {
			return nil, err
		}
		tempMu.Lock()
		tempDirs = append(tempDirs, dir)
		tempMu.Unlock()
		bin := filepath.Join(dir, name)
		if err := goBuild(root, bin, pkg); err != nil {
			return nil, err
		}
		return map[string]string{name: bin}, nil
	})
	if err != nil {
		t.Fatalf("build %s: %v", name, err)
	}
	return paths[name]
}

// goBuild builds packages of the module in dir to out, without cgo.
func goBuild(dir, out string, args ...string) error {
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", out}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, lastLines(output, 20))
	}
	return nil
}

func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
