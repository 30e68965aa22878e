package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/glrecover/glrecover/doctor"
)

var doctorCommand = command{
	name:    "doctor",
	args:    "[--json] [--lightning-dir DIR] [--network NAME] [--rpc-file FILE] [BACKUP]",
	summary: "check what a recovery needs on this machine, and list what is missing",
	help: `It checks lightningd, its secret, its chain, the plugin, the disk and, if you name it,
the signer backup, and lists what is missing in the order in which to fix it. It
changes nothing and contacts no peer. It exits with 1 if something is missing. Run it as the user who runs lightningd.

  --json
      for programs, with stable names
` + socketHelp,
	run: examine,
}

func examine(c *cli, args []string) error {
	fs := flags("doctor")
	asJSON := fs.Bool("json", false, "")
	place := nodeFlags(fs)
	files, err := parseUpTo(fs, args, 1)
	if err != nil {
		return err
	}
	in := doctor.Input{Now: c.now()}
	if len(files) > 0 {
		in.Path = files[0]
		in.Backup, in.BackupError = c.load(in.Path)
	}
	in.Client, in.NoClient = place.client()
	in.Dirs = place.networkDirs(in.Backup)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report := doctor.Examine(ctx, in)
	if *asJSON {
		err = c.writeJSON(report)
	} else {
		tty, _ := terminal(c.stdout)
		err = c.write([]byte(doctorText(report, in.Path, widthOf(tty))))
	}
	if err == nil && !report.Ready {
		err = errProblem
	}
	return err
}

// statusMarks stand before what was found.
var statusMarks = map[doctor.Status]string{
	doctor.OK: "ok", doctor.Warning: "note", doctor.Missing: "MISSING", doctor.Unknown: "unknown",
}

// doctorText lists what was found, then what to mend.
func doctorText(r *doctor.Report, path string, width int) string {
	var b strings.Builder
	for _, check := range r.Checks {
		head := fmt.Sprintf("%-8s %-13s ", statusMarks[check.Status], strings.ReplaceAll(string(check.Name), "_", " "))
		b.WriteString(wrapTo(width, head, strings.Repeat(" ", len(head)), plain(check.Found)))
	}
	for _, part := range []struct {
		title string
		is    doctor.Status
	}{
		{"What is missing, in the order in which to fix it", doctor.Missing},
		{"Read this before you begin", doctor.Warning},
		{"Not checked", doctor.Unknown},
	} {
		n := 0
		for _, check := range r.Checks {
			if check.Status != part.is || check.Do == "" {
				continue
			}
			if n++; n == 1 {
				b.WriteString("\n" + part.title + "\n")
			}
			head := fmt.Sprintf("  %d. ", n)
			b.WriteString(wrapTo(width, head, strings.Repeat(" ", len(head)), plain(strings.ReplaceAll(string(check.Name), "_", " ")+": "+check.Do)+"."))
		}
	}
	if r.Ready {
		if abs, err := filepath.Abs(path); err == nil && path != "" {
			path = "'" + strings.ReplaceAll(abs, "'", `'\''`) + "'"
		} else {
			path = "/PATH/TO/BACKUP"
		}
		b.WriteString("\nNothing is missing. The next step, which changes nothing yet:\n  lightning-cli glrecover backup=" + plain(path) + " dry_run=true\n")
	}
	return b.String()
}
