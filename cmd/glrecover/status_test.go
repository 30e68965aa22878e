package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/recovery/tell"
)

var statusNow = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// aRecovery is what the plugin says in the middle of a recovery of six channels.
func aRecovery(t testing.TB) *tell.Status {
	t.Helper()
	peer := func(hex string) channel.PubKey {
		k, err := channel.ParsePubKey(hex)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a := peer("02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723")
	b := peer("03d3c86fc1e84364a9140801d61739c187e3411883cc60310b5d0647e03a034a03")
	id := func(c string) string { return strings.Repeat(c, 64) }
	return &tell.Status{
		Summary: []string{},
		Backup:  &tell.StatusBackup{CreatedAt: "2026-11-24T23:53:13Z"},
		Channels: []tell.ChannelStatus{
			{PeerID: a, ChannelID: id("1"), DBID: 1, State: "resolved", WaitsFor: "nothing", LastKnownShareMsat: msatOf(673_960_000), RecoveredMsat: 673_960_000},
			{PeerID: a, ChannelID: id("2"), DBID: 2, State: "close_requested", WaitsFor: "peer", NextTry: "2026-11-26T12:04:30Z", LastKnownShareMsat: msatOf(37_780_000), Todo: "nothing; glrecover keeps trying, and glrecover-retry tries at once"},
			{PeerID: b, ChannelID: id("3"), DBID: 3, State: "outputs_waiting", WaitsFor: "blocks", LastKnownShareMsat: msatOf(838_080_000), ExpectedMsat: 838_080_000},
			{PeerID: b, ChannelID: id("4"), DBID: 4, State: "needs_address", WaitsFor: "address", LastKnownShareMsat: msatOf(297_930_000), Todo: "name its address", Reason: "no address of the peer is known"},
			{PeerID: b, ChannelID: id("5"), DBID: 5, State: "needs_address", WaitsFor: "address", LastKnownShareMsat: msatOf(15_000_000), Todo: "name its address", Reason: "no address of the peer is known"},
			{PeerID: b, ChannelID: id("6"), DBID: 6, State: "cheated", WaitsFor: "operator", DeadlineBlock: 812_345, LastKnownShareMsat: msatOf(120_003_000), UnclaimedMsat: 120_003_000, Todo: "get help at once", Reason: "the peer published a commitment that it had revoked"},
		},
		Alarms: []string{"channel 6666: the peer published a commitment that it had revoked"},
		Unread: []string{"channels entry (number 9 in the file)"},
		Totals: tell.StatusTotals{Channels: 6, LastKnownShareMsat: 1_982_753_000, RecoveredMsat: 673_960_000, ExpectedMsat: 838_080_000, UnclaimedMsat: 120_003_000},
		Notes:  []string{"Restart lightningd once. Open no channel before that."},
	}
}

func TestStatusReadsLikeThis(t *testing.T) {
	for width, golden := range map[int]string{80: "status-80.txt", 120: "status-120.txt"} {
		path := filepath.Join("testdata", "golden", golden)
		got := statusText(aRecovery(t), statusNow, width)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v):\n%s", golden, err, got)
		}
		for _, line := range splitLines(got) {
			if len(line) > width {
				t.Errorf("a line of %d characters at width %d: %s", len(line), width, line)
			}
		}
	}
}

// Each state of the plugin has words, and none is too long for its column.
func TestEveryStateHasWords(t *testing.T) {
	found := 0
	for _, dir := range []string{"../../recovery/*.go", "../../recovery/core/*.go", "../../recovery/model/*.go"} {
		files, err := filepath.Glob(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`\t\w+ (?:Channel)?State += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
				found++
				if _, ok := page.StateWords[m[1]]; !ok {
					t.Errorf("%s has no words", m[1])
				}
			}
		}
	}
	if found < 10 {
		t.Fatalf("%d states found", found)
	}
	for state, words := range page.StateWords {
		if words == "" || len(words) > 17 {
			t.Errorf("%s: %q", state, words)
		}
	}
	if got := waitText(&tell.ChannelStatus{WaitsFor: "a\x1b[2Jthing"}, statusNow); strings.ContainsRune(got, '\x1b') {
		t.Errorf("%q", got)
	}
}

func TestABarIsNeverFullBeforeAllIsThere(t *testing.T) {
	for _, c := range []struct {
		part, whole uint64
		want        string
	}{{0, 0, "nothing"}, {0, 5, "0%"}, {1, 1_000_000, "1%"}, {999_999, 1_000_000, "99%"}, {5, 5, "100%"}, {1 << 63, 1<<64 - 1, "50%"}} {
		if got := page.Percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.part, c.whole, got, c.want)
		}
	}
}

// runIn is a lightning directory whose network has a stand-in's socket.
func runIn(t *testing.T, network string) (dir string, socket *lightningdtest.Socket) {
	t.Helper()
	// A socket's path may have some 100 bytes only.
	dir, err := os.MkdirTemp("", "ln")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = lightningdtest.NewSocket(t)
	if err := os.Mkdir(filepath.Join(dir, network), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(socket.Path(), filepath.Join(dir, network, "lightning-rpc")); err != nil {
		t.Fatal(err)
	}
	return dir, socket
}

func TestStatusAsksTheNodeThatRuns(t *testing.T) {
	dir, socket := runIn(t, "regtest")
	socket.Answer("glrecover-status", aRecovery(t))
	for _, args := range [][]string{
		{"--lightning-dir", dir},
		{"--lightning-dir", dir, "--network", "regtest"},
		{"--lightning-dir", dir, "--regtest"},
		{"--lightning-dir", filepath.Join(dir, "regtest")},
		{"--rpc-file", socket.Path()},
	} {
		code, stdout, stderr := runCLI(t, append([]string{"status"}, args...)...)
		if code != exitProblem || !strings.Contains(stdout, "ALARM: channel 6666") || !strings.Contains(stdout, "coins on the way") || stderr != "" {
			t.Errorf("%q: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	code, stdout, _ := runCLI(t, "status", "--json", "--lightning-dir", dir)
	var again tell.Status
	if err := json.Unmarshal([]byte(stdout), &again); err != nil || len(again.Channels) != 6 || code != exitProblem {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}

	calm := aRecovery(t)
	calm.Alarms, calm.Channels, calm.Unread = nil, calm.Channels[:3], nil
	socket.Answer("glrecover-status", calm)
	if code, stdout, _ := runCLI(t, "status", "--lightning-dir", dir); code != exitOK || !strings.Contains(stdout, "the peer") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	socket.Answer("glrecover-status", map[string]any{"notes": []string{"No recovery was started on this node."}})
	if code, stdout, _ := runCLI(t, "status", "--lightning-dir", dir); code != exitOK || stdout != "- No recovery was started on this node.\n" {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestStatusSaysWhyItCannotAsk(t *testing.T) {
	dir, socket := runIn(t, "bitcoin")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--lightning-dir", t.TempDir()}, exitProblem, "node_unreachable: no RPC socket of lightningd was found in"},
		{[]string{"--lightning-dir", dir, "--network", "signet"}, exitProblem, "for the network signet"},
		{[]string{"--watch"}, exitUsage, "--watch needs a terminal"},
		{[]string{"--watch", "--json"}, exitUsage, "cannot be combined"},
		{[]string{"now"}, exitUsage, "too many arguments"},
	} {
		code, _, stderr := runCLI(t, append([]string{"status"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, stderr)
		}
	}
	socket.Handle("glrecover-status", func(json.RawMessage) (any, error) {
		return nil, &lightningd.RPCError{Code: -32601, Message: "Unknown command"}
	})
	if code, _, stderr := runCLI(t, "status", "--lightning-dir", dir); code != exitProblem || !strings.Contains(stderr, "without the plugin glrecover. Load it") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	socket.Close()
	if code, _, stderr := runCLI(t, "status", "--lightning-dir", dir); code != exitProblem || !strings.Contains(stderr, "node_unreachable") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// FuzzStatusText: whatever the plugin answers, a drawing has no control
// characters and no line beyond the terminal's width but words that are longer.
func FuzzStatusText(f *testing.F) {
	raw, err := json.Marshal(aRecovery(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, 80)
	f.Add([]byte(`{"channels":[{"state":"new_one","reason":"\u001b[2J","waits_for":"\n"}],"alarms":["\u0007"],"notes":["a\tb"]}`), 40)
	f.Add([]byte(`{"totals":{"recovered_msat":18446744073709551615,"last_known_share_msat":1}}`), 120)
	f.Fuzz(func(t *testing.T, raw []byte, width int) {
		s := new(tell.Status)
		if json.Unmarshal(raw, s) != nil || width < 40 || width > 500 {
			return
		}
		text := statusText(s, statusNow, width)
		if i := bytes.IndexFunc([]byte(text), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
			t.Fatalf("a control character at %d of %q", i, text)
		}
	})
}

func msatOf(n uint64) *uint64 { return &n }

// TestANarrowTerminalShowsTheState: on a telephone the state and what it waits
// for are not what falls off the edge.
func TestANarrowTerminalShowsTheState(t *testing.T) {
	c := tell.ChannelStatus{State: "needs_address", WaitsFor: "address"}
	text := statusTable([]tell.ChannelStatus{c}, time.Now(), 40)
	if !strings.Contains(text, "no address") || !strings.Contains(text, "YOU: address") {
		t.Errorf("%s", text)
	}
}

// A thousand channels are a screen and a half: what the operator must do is all in
// it, the rest is summed.
func TestTheStatusOfAThousandChannelsIsShort(t *testing.T) {
	s := &tell.Status{}
	for i := range 1000 {
		c := tell.ChannelStatus{State: model.CloseRequested, WaitsFor: "peer", Reason: fmt.Sprintf("reason %d", i), Todo: "nothing", ChannelID: strings.Repeat("a", 64)}
		switch {
		case i%100 == 99:
			c.State, c.WaitsFor, c.Todo = model.NeedsAddress, "address", fmt.Sprintf("say the address of %d", i)
		case i%2 == 0:
			c.State, c.Todo, c.Reason = model.Resolved, "", ""
		}
		s.Channels = append(s.Channels, c)
	}
	s.Totals.Channels = len(s.Channels)
	text := statusText(s, time.Now(), 100)
	if n := strings.Count(text, "\n"); n > 120 {
		t.Errorf("%d lines", n)
	}
	for i := 99; i < 1000; i += 100 {
		if !strings.Contains(text, fmt.Sprintf("say the address of %d ", i)) || !strings.Contains(text, fmt.Sprintf("\n%4d  ", i+1)) {
			t.Errorf("channel %d needs the operator and is not there:\n%s", i+1, text)
		}
	}
	if !strings.Contains(text, "500 done") || !strings.Contains(text, "440 asked to close") {
		t.Errorf("the rest is not summed:\n%s", text)
	}
}
