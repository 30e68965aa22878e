// Package docker checks what the container files refer to, for machines
// without an engine: stages, sources, programs, services. It NEVER runs one.
package docker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const root = ".."

// instruction is one line of the Dockerfile, continuations joined.
type instruction struct{ name, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	raw, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var out []instruction
	var line string
	for _, l := range strings.Split(string(raw), "\n") {
		if strings.HasPrefix(l, "#") || line == "" && strings.TrimSpace(l) == "" {
			continue
		}
		if part, more := strings.CutSuffix(l, "\\"); more {
			line += part
			continue
		}
		name, rest, _ := strings.Cut(strings.TrimSpace(line+l), " ")
		out = append(out, instruction{name, strings.TrimSpace(rest)})
		line = ""
	}
	return out
}

// stages lists the stages and the arguments, in order.
func stages(t *testing.T) (names, args []string) {
	for _, in := range dockerfile(t) {
		switch in.name {
		case "FROM":
			_, name, ok := strings.Cut(in.rest, " AS ")
			if !ok {
				t.Errorf("a stage without name: FROM %s", in.rest)
			}
			names = append(names, name)
		case "ARG":
			name, _, _ := strings.Cut(in.rest, "=")
			args = append(args, name)
		}
	}
	return names, args
}

func exists(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		t.Errorf("%s is not in the tree", path)
	}
}

func TestDockerfileRefersToWhatIsThere(t *testing.T) {
	known := []string{"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}
	names, args := stages(t)
	pkg := regexp.MustCompile(`\./[a-z][\w/-]*`)
	variable := regexp.MustCompile(`\$\{(\w+)\}`)
	for _, in := range dockerfile(t) {
		if !slices.Contains(known, in.name) {
			t.Errorf("unknown instruction %s", in.name)
		}
		for _, v := range variable.FindAllStringSubmatch(in.rest, -1) {
			if !slices.Contains(args, v[1]) {
				t.Errorf("%s uses %s, which no ARG declares", in.name, v[1])
			}
		}
		switch in.name {
		case "FROM":
			base, _, _ := strings.Cut(in.rest, " ")
			if !strings.HasPrefix(base, "${") && !slices.Contains(names, base) {
				t.Errorf("FROM %s: neither an argument nor a stage", base)
			}
		case "COPY":
			words := strings.Fields(in.rest)
			if from, ok := strings.CutPrefix(words[0], "--from="); ok {
				if !slices.Contains(names, from) {
					t.Errorf("COPY --from=%s: no such stage", from)
				}
				continue
			}
			for _, source := range words[:len(words)-1] {
				exists(t, source)
			}
		case "RUN":
			for _, p := range pkg.FindAllString(in.rest, -1) {
				exists(t, p)
			}
		}
	}
	if last := names[len(names)-1]; last != "node" {
		t.Errorf("the default target is %s, want node", last)
	}
}

// An image with an older release than go.mod asks for cannot build.
func TestGoImageHasTheModulesGoVersion(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	for _, in := range dockerfile(t) {
		if image, ok := strings.CutPrefix(in.rest, "GO_IMAGE="); ok && !strings.HasPrefix(image, "golang:"+want[1]) {
			t.Errorf("%s, but go.mod wants Go %s", image, want[1])
		}
	}
}

type service struct {
	Image      string `yaml:"image"`
	PullPolicy string `yaml:"pull_policy"`
	Build      struct {
		Context    string            `yaml:"context"`
		Dockerfile string            `yaml:"dockerfile"`
		Target     string            `yaml:"target"`
		Args       map[string]string `yaml:"args"`
	} `yaml:"build"`
	Profiles   []string `yaml:"profiles"`
	Entrypoint []string `yaml:"entrypoint"`
	Command    []string `yaml:"command"`
	Ports      []string `yaml:"ports"`
	Volumes    []string `yaml:"volumes"`
}

type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

func composeFile(t *testing.T) compose {
	t.Helper()
	raw, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file compose
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestComposeRefersToWhatTheDockerfileBuilds(t *testing.T) {
	file := composeFile(t)
	names, args := stages(t)
	for _, want := range []string{"scenarios", "demo", "bitcoind", "lost", "peer", "lnd", "story"} {
		if _, ok := file.Services[want]; !ok {
			t.Errorf("no service %s", want)
		}
	}
	// Programs that the images have: built here, of the daemons, or a script.
	programs := []string{
		"glr-scenarios", "glr-demo", "glr-compose", "glr-node",
		"bitcoind", "lnd", "lightningd",
	}
	// The engine exports an image once for each service that builds it.
	builders := map[string]int{}
	for name, s := range file.Services {
		if s.Build.Target == "" {
			builders[s.Image] += 0
		} else {
			builders[s.Image]++
			if !slices.Contains(names, s.Build.Target) {
				t.Errorf("%s: no stage %q", name, s.Build.Target)
			}
			if s.Build.Context != root || s.Build.Dockerfile != "docker/Dockerfile" {
				t.Errorf("%s builds %s of %s", name, s.Build.Dockerfile, s.Build.Context)
			}
		}
		if s.PullPolicy != "never" {
			t.Errorf("%s would pull %s from a registry", name, s.Image)
		}
		for arg := range s.Build.Args {
			if !slices.Contains(args, arg) {
				t.Errorf("%s: no argument %s in the Dockerfile", name, arg)
			}
		}
		if len(s.Ports) > 0 {
			t.Errorf("%s publishes %v: everything stays in its network", name, s.Ports)
		}
		if len(s.Profiles) == 0 {
			t.Errorf("%s has no profile: it would start with everything", name)
		}
		run := append(slices.Clone(s.Entrypoint), s.Command...)
		if len(run) == 0 || !slices.Contains(programs, run[0]) {
			t.Errorf("%s runs %v, which no image has", name, run)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, ok := file.Volumes[volume]; !ok {
				t.Errorf("%s: no volume %s", name, volume)
			}
		}
	}
	for image, services := range builders {
		if services != 1 {
			t.Errorf("%d services build %s, want one", services, image)
		}
	}
}

// lightningd loads by itself only the plugins that it was compiled with: ours
// has to be named where it is installed, in the image and in the story.
func TestThePluginIsNamedWhereItIsInstalled(t *testing.T) {
	const installed = "/usr/local/bin/glrecover"
	want := []string{
		"COPY --from=build /out/glrecover " + installed,
		`ENTRYPOINT ["/entrypoint.sh", "--plugin=` + installed + `"]`,
	}
	stage := ""
	for _, in := range dockerfile(t) {
		if in.name == "FROM" {
			_, stage, _ = strings.Cut(in.rest, " AS ")
		}
		if line := in.name + " " + in.rest; stage == "node" {
			want = slices.DeleteFunc(want, func(w string) bool { return w == line })
		}
	}
	if len(want) > 0 {
		t.Errorf("the stage node lacks %q", want)
	}
	for name, s := range composeFile(t).Services {
		if has := slices.Contains(s.Command, "--plugin="+installed); has != (name == "lost") {
			t.Errorf("%s runs %v", name, s.Command)
		}
	}
}

// The scenarios run from /src/integration without the rest of the tree: what they
// read beside it has to be copied there.
func TestTheScenariosFindTheirFiles(t *testing.T) {
	var has []string
	stage := ""
	for _, in := range dockerfile(t) {
		if in.name == "FROM" {
			_, stage, _ = strings.Cut(in.rest, " AS ")
		}
		if from, to, ok := strings.Cut(in.rest, " /src/"); ok && in.name == "COPY" && stage == "tests" && from == to {
			has = append(has, from)
		}
	}
	tests, err := filepath.Glob(filepath.Join(root, "integration", "*_test.go"))
	if err != nil || len(tests) == 0 {
		t.Fatal(err)
	}
	beside, found := regexp.MustCompile(`"\.\.", "(\w+)"`), 0
	for _, file := range tests {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range beside.FindAllStringSubmatch(string(source), -1) {
			found++
			if !slices.Contains(has, m[1]) {
				t.Errorf("%s reads ../%s, which the stage tests does not copy (%v)", file, m[1], has)
			}
		}
		if strings.Contains(string(source), "h.Root()") {
			t.Errorf("%s looks for the whole tree, which the image does not have", file)
		}
	}
	if found == 0 {
		t.Error("no scenario reads a file beside integration/: this test looks for the wrong thing")
	}
}

// What compose.yaml runs must be built or copied under that very name.
func TestDockerfileMakesTheProgramsThatComposeRuns(t *testing.T) {
	raw, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{
		"-o /out/glr-scenarios ./integration", "-o /out/glr-demo ./integration/demo",
		"./integration/cmd/glr-compose", "./integration/cmd/glr-testplugin",
		"docker/node.sh /usr/local/bin/glr-node",
	} {
		if !strings.Contains(string(raw), made) {
			t.Errorf("the Dockerfile lacks %q", made)
		}
	}
}
