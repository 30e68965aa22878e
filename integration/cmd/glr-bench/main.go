// Command glr-bench measures the command line on large backups (integration/large)
// next to Greenlight's own reader and converter, which is gl-tool of
// integration/glsigner. The programs run in turn, several times each, in one
// run; the best of each counts, and what is compared is their ratio.
//
//	glr-bench [-runs N] [-channels 100,1000,10000] GLRECOVER
//
// gl-tool must be a release build: a debug build makes every ratio look better
// than it is. GL_TOOL names it; without it there are no ratios:
//
//	CARGO_TARGET_DIR=/tmp/gl cargo build --release --locked --bin gl-tool
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/glrecover/glrecover/integration/large"
	"github.com/glrecover/glrecover/vlsstate"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "glr-bench:", err)
		os.Exit(1)
	}
}

// cost is what one run of a program took.
type cost struct {
	wall, cpu time.Duration
	// memory is the most resident memory, in bytes.
	memory int64
}

func (c cost) best(other cost) cost {
	return cost{min(c.wall, other.wall), min(c.cpu, other.cpu), min(c.memory, other.memory)}
}

// job is one command line; theirs is Greenlight's equivalent.
type job struct {
	name string
	args func(backup, secret string) []string
	// other is the verb of gl-tool, "" where it has none.
	other string
}

var jobs = []job{
	{"convert", func(b, _ string) []string { return []string{"convert", b} }, "convert"},
	{"inspect", func(b, _ string) []string { return []string{"inspect", "--json", b} }, "inspect"},
	{"check", func(b, _ string) []string { return []string{"check", "--json", b} }, ""},
	{"verify", func(b, s string) []string { return []string{"verify", "--hsm-secret", s, b} }, ""},
}

func run(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("glr-bench", flag.ContinueOnError)
	runs := fs.Int("runs", 3, "")
	sizes := fs.String("channels", "100,1000,10000,20000", "")
	write := fs.Int("write", 0, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *write > 0 {
		return generate(*write, fs.Arg(0))
	}
	if fs.NArg() != 1 {
		return fmt.Errorf("usage: glr-bench [-runs N] [-channels N,...] GLRECOVER")
	}
	theirs := os.Getenv("GL_TOOL")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "glr-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, large.Secret[:], 0o400); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "channels\tMB\tcommand\twall\tCPU\tmemory\tgl-client wall\tCPU\tmemory\twall ratio\tmemory ratio\tms CPU per channel")
	for _, size := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of channels", size)
		}
		backup := filepath.Join(dir, size+".json")
		// In a process of its own: what is measured must not begin with the memory of
		// this one, which Linux counts as its child's.
		if _, err := measure(self, "-write", size, backup); err != nil {
			return err
		}
		info, err := os.Stat(backup)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			ours, other, err := compare(fs.Arg(0), theirs, j, backup, secret, *runs)
			if err != nil {
				return err
			}
			line := fmt.Sprintf("%d\t%.1f\t%s\t%.2f s\t%.2f s\t%d MB", n, float64(info.Size())/1e6, j.name,
				ours.wall.Seconds(), ours.cpu.Seconds(), ours.memory/1e6)
			if other != nil {
				line += fmt.Sprintf("\t%.2f s\t%.2f s\t%d MB\t%.2f\t%.2f", other.wall.Seconds(), other.cpu.Seconds(), other.memory/1e6,
					float64(ours.wall)/float64(other.wall), float64(ours.memory)/float64(other.memory))
			} else {
				line += "\t\t\t\t\t"
			}
			fmt.Fprintf(w, "%s\t%.3f\n", line, ours.cpu.Seconds()*1000/float64(n))
		}
		if err := os.Remove(backup); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func generate(n int, path string) error {
	b, err := large.Backup(n)
	if err != nil {
		return err
	}
	return vlsstate.WriteFile(path, b, vlsstate.WriteOptions{})
}

// compare runs both in turn.
func compare(program, theirs string, j job, backup, secret string, runs int) (ours cost, other *cost, err error) {
	for i := range runs {
		c, err := measure(program, j.args(backup, secret)...)
		if err != nil {
			return ours, nil, err
		}
		if i == 0 {
			ours = c
		}
		ours = ours.best(c)
		if theirs == "" || j.other == "" {
			continue
		}
		if c, err = measure(theirs, j.other, backup); err != nil {
			return ours, nil, err
		}
		if i == 0 {
			other = &c
		}
		*other = other.best(c)
	}
	return ours, other, nil
}

func measure(program string, args ...string) (cost, error) {
	cmd := exec.Command(program, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return cost{}, fmt.Errorf("%s %s: %w: %s", program, args[0], err, complaint.String())
	}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), use.Maxrss * 1024}, nil
}
