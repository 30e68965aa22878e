package plugin

import (
	"fmt"
	"os"
	"strings"
)

// runMark names the running lightningd process, so that a plugin that was
// started again can tell whether lightningd was, too. Empty where the system
// does not say (it is read from Linux's /proc: boot id, pid and start time of
// the parent). A pid alone is not enough: in a container it is always 1.
func runMark() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getppid()))
	if err != nil {
		return ""
	}
	// The command name is in parentheses and may hold anything, so fields are
	// counted from the last one on; start time is field 22 of proc(5), the 20th
	// after the name.
	end := strings.LastIndexByte(string(stat), ')')
	if end < 0 {
		return ""
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fmt.Sprintf("%s/%d/%s", strings.TrimSpace(string(boot)), os.Getppid(), fields[19])
}
