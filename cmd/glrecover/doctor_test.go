package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/doctor"
)

func TestDoctorWithoutANodeSaysWhatToStart(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := runCLI(t, "doctor", "--lightning-dir", dir, corpusDir+"/used-both-ways/backup.json")
	if code != exitProblem || stderr != "" || !strings.Contains(stdout, "MISSING  lightningd") || !strings.Contains(stdout, "ok       backup") ||
		!strings.Contains(stdout, "  1. hsm secret: Create it before lightningd starts") || !strings.Contains(stdout, "  2. lightningd: Start it, with the option offline") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = runCLI(t, "doctor", "--json", "--lightning-dir", dir, "/nonexistent")
	var r doctor.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitProblem || r.Ready || r.Of(doctor.Backup).Status != doctor.Missing {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	if code, _, stderr := runCLI(t, "doctor", "a", "b"); code != exitUsage || !strings.Contains(stderr, "too many arguments") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// The order of the list is the order in which to mend.
func TestDoctorListsTheMissingFirst(t *testing.T) {
	text := doctorText(&doctor.Report{Checks: []doctor.Check{
		{Name: doctor.Peers, Status: doctor.Warning, Found: "not offline", Do: "Start it offline"},
		{Name: doctor.HSMSecret, Status: doctor.Missing, Found: "none", Do: "Make it"},
		{Name: doctor.Plugin, Status: doctor.Missing, Found: "not\x1b loaded", Do: "Load it"},
	}}, "", 80)
	for _, want := range []string{"  1. hsm secret: Make it.\n  2. plugin: Load it.\n", "Read this before you begin\n  1. peers: Start it offline.\n", "not? loaded"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "plugin: Load") > strings.Index(text, "peers: Start") || strings.Contains(text, "Nothing is missing") {
		t.Error(text)
	}
}
