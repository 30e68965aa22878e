package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/recovery/tell"
)

// waitWords are what a channel waits for.
var waitWords = map[string]string{
	"peer": "the peer", "blocks": "blocks", "fee": "a fee", "secret": "YOU: secret",
	"address": "YOU: address", "operator": "YOU", "nothing": "-", "": "-",
}

// needsYou reports whether something waits for the operator.
func needsYou(s *tell.Status) bool {
	return len(s.Alarms) > 0 || slices.ContainsFunc(s.Channels, func(c tell.ChannelStatus) bool { return slices.Contains(page.ForYou, c.WaitsFor) })
}

// statusText draws a status. It renders fields; the only sentences are those that
// the plugin wrote for people.
func statusText(s *tell.Status, now time.Time, width int) string {
	var b strings.Builder
	for _, alarm := range s.Alarms {
		b.WriteString(wrapTo(width, "ALARM: ", "       ", told(alarm)))
	}
	if len(s.Alarms) > 0 {
		b.WriteString("\n")
	}
	if len(s.Channels) > 0 {
		b.WriteString(statusTotals(s, width) + "\n")
		b.WriteString(statusTable(s.Channels, now, width))
		b.WriteString(todoText(s.Channels, width))
	}
	if len(s.Unread) > 0 {
		b.WriteString("\n" + wrapTo(width, "", "", page.Count(len(s.Unread), "entry", "entries")+" of the backup could not be read and is not in this list: see --json."))
	}
	if len(s.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range s.Notes {
		b.WriteString(wrapTo(width, "- ", "  ", told(note)))
	}
	return strings.TrimLeft(b.String(), "\n")
}

// statusTotals is a bar of what came back, and the sums.
func statusTotals(s *tell.Status, width int) string {
	t := &s.Totals
	head := ""
	if s.Backup != nil && s.Backup.CreatedAt != "" {
		head = ", backup of " + page.Clock(s.Backup.CreatedAt)
	}
	text := page.Count(t.Channels, "channel", "channels") + head + "\n"
	whole := max(t.LastKnownShareMsat, t.RecoveredMsat)
	size := min(width-30, 60)
	filled := 0
	if whole > 0 {
		// In parts per thousand, so that nothing wraps.
		filled = int(t.RecoveredMsat / max(whole/1000, 1) * uint64(size) / 1000)
	}
	filled = min(filled, size)
	text += fmt.Sprintf("[%s%s] %s\n", strings.Repeat("#", filled), strings.Repeat("-", size-filled), page.Percent(t.RecoveredMsat, whole)+" is in the wallet")
	sums := &table{}
	share := page.Sat(t.LastKnownShareMsat / 1000)
	if t.SharesUnknown > 0 {
		share += ", and unknown in " + page.Count(t.SharesUnknown, "channel", "channels")
	}
	sums.row("your last known share", share)
	sums.row("in the wallet", page.Sat(t.RecoveredMsat/1000))
	if t.ExpectedMsat > 0 {
		sums.row("to come from closes", page.Sat(t.ExpectedMsat/1000))
	}
	if t.UnclaimedMsat > 0 {
		sums.row("yours, not claimed yet", page.Sat(t.UnclaimedMsat/1000))
	}
	lost := uint64(0)
	for i := range s.Channels {
		lost = channel.Sum(lost, s.Channels[i].LostMsat)
	}
	if lost > 0 {
		sums.row("LOST to others", page.Sat(lost/1000))
	}
	if t.SharesUnknown > 0 {
		sums.row("share unknown", page.Count(t.SharesUnknown, "channel", "channels"))
	}
	return text + sums.String()
}

// What a status for people has at most: a line for each of mostRows channels, and
// mostTodos things to do. The rest is summed; --json has all of it.
const (
	mostRows  = 60
	mostTodos = 30
)

// shown are the channels that have a line of their own, in their order: all, or of
// many those that the operator is needed for and, while there is room, others that
// are not resolved. The rest is summed by state.
func shown(channels []tell.ChannelStatus) (rows []int, rest map[model.ChannelState]int) {
	rest = map[model.ChannelState]int{}
	take := func(which func(c *tell.ChannelStatus) bool) {
		for i := range channels {
			if len(rows) < mostRows && !slices.Contains(rows, i) && which(&channels[i]) {
				rows = append(rows, i)
			}
		}
	}
	take(func(c *tell.ChannelStatus) bool { return slices.Contains(page.ForYou, c.WaitsFor) })
	take(func(c *tell.ChannelStatus) bool { return len(channels) <= mostRows || c.State != model.Resolved })
	slices.Sort(rows)
	for i := range channels {
		if _, has := slices.BinarySearch(rows, i); !has {
			rest[channels[i].State]++
		}
	}
	return rows, rest
}

// restText says what the table leaves out.
func restText(rest map[model.ChannelState]int, width int) string {
	var parts []string
	for _, state := range model.States {
		if n := rest[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, plain(page.StateText(state))))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return wrapTo(width, "", "", "and "+strings.Join(parts, ", ")+": --json has each")
}

// statusTable has one line for each channel that is shown; more columns where there
// is room.
func statusTable(channels []tell.ChannelStatus, now time.Time, width int) string {
	wide, narrow := width >= 110, width < 60
	title := []string{"#", "peer", "share", "in wallet", "to come", "state", "waits for"}
	if wide {
		title = []string{"#", "peer", "channel", "share", "in wallet", "to come", "state", "waits for"}
	}
	if narrow { // a telephone: where it is and what it waits for come first
		title = []string{"#", "in wallet", "state", "waits for"}
	}
	rows := [][]string{title}
	which, rest := shown(channels)
	for _, i := range which {
		c := &channels[i]
		if narrow {
			rows = append(rows, []string{fmt.Sprint(i + 1), amount(c.RecoveredMsat), plain(page.StateText(c.State)), waitText(c, now)})
			continue
		}
		row := []string{fmt.Sprint(i + 1), c.PeerID.String()[:8]}
		if wide {
			row = append(row, c.ChannelID[:min(12, len(c.ChannelID))])
		}
		rows = append(rows, append(row, shareCell(c.LastKnownShareMsat), amount(c.RecoveredMsat), amount(c.ExpectedMsat),
			plain(page.StateText(c.State)), waitText(c, now)))
	}
	return rightColumns(rows, map[string]bool{"#": true, "share": true, "in wallet": true, "to come": true}, width) + restText(rest, width)
}

func amount(msat uint64) string {
	if msat == 0 {
		return "-"
	}
	return page.Thousands(msat / 1000)
}

// waitText says what a channel waits for, with the time to the next try, or the
// block by which something must happen.
func waitText(c *tell.ChannelStatus, now time.Time) string {
	text, ok := waitWords[c.WaitsFor]
	if !ok {
		text = c.WaitsFor
	}
	next, err := time.Parse(time.RFC3339, c.NextTry)
	switch {
	case c.DeadlineBlock > 0:
		text += fmt.Sprintf(", by %d", c.DeadlineBlock)
	case c.WaitsFor == "peer" && err == nil && next.After(now):
		text = "peer, in " + next.Sub(now).Round(time.Second).String()
	}
	return plain(text)
}

// todoText says what the operator can do.
func todoText(channels []tell.ChannelStatus, width int) string {
	var b strings.Builder
	todos := page.Todos(channels)
	for i, it := range todos {
		if i == 0 {
			b.WriteString("\nWhat to do now\n")
		}
		if i == mostTodos {
			b.WriteString(wrapTo(width, "  ", "  ", fmt.Sprintf("and %d more that are less urgent: --json has each", len(todos)-i)))
			break
		}
		text := it.Todo
		if it.Reason != "" {
			text += " (" + it.Reason + ")"
		}
		b.WriteString(wrapTo(width, "  "+it.Where+": ", "    ", told(text)))
	}
	return b.String()
}

// rightColumns aligns columns, those named on the right, and cuts lines to a width.
func rightColumns(rows [][]string, right map[string]bool, width int) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			if right[rows[0][i]] {
				line += strings.Repeat(" ", widths[i]-len(cell)) + cell
			} else {
				line += pad(cell, widths[i])
			}
		}
		line = strings.TrimRight(line, " ")
		if len(line) > width {
			line = line[:width-2] + ".."
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func splitLines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
