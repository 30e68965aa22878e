package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/recovery/tell"
)

// figures are the amounts that a page states, in msat, by id or class.
func figures(t testing.TB, text []byte) map[string][]uint64 {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]uint64{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "data" {
			continue
		}
		name, value := "", ""
		for _, a := range n.Attr {
			switch a.Key {
			case "id", "class":
				name = a.Val
			case "value":
				value = a.Val
			}
		}
		msat, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// What a person reads is the same amount.
		if shown := n.FirstChild.Data; shown != page.Sat(msat/1000) {
			t.Errorf("%s shows %q for %d msat", name, shown, msat)
		}
		out[name] = append(out[name], msat)
	}
	return out
}

func sum(msat []uint64) (total uint64) {
	for _, m := range msat {
		total += m
	}
	return total
}

// onTheWay is a recovery with each thing that a page can show.
func onTheWay(t testing.TB) *tell.Status {
	t.Helper()
	s := aRecovery(t)
	s.Chain = &tell.StatusChain{Height: 812_300, LookBack: "120 of the blocks from 812000 to 812290 have not been scanned yet"}
	c := s.Channels
	c[0].ClosingTxid, c[0].ClosingHeight, c[0].FinalHeight, c[0].Asked = strings.Repeat("a", 64), 812_101, 812_200, "2026-11-25T08:00:00Z"
	c[0].RecoveredTo = []string{strings.Repeat("a", 64) + ":1"}
	c[1].Asked = "2026-11-26T11:58:00Z"
	c[2].ClosingTxid, c[2].ClosingHeight, c[2].FinalHeight, c[2].Asked = strings.Repeat("b", 64), 812_290, 812_389, "2026-11-26T09:00:00Z"
	c[2].Outputs = []tell.StatusOutput{{OutPoint: strings.Repeat("b", 64) + ":0", Msat: 838_080_000, What: "our main output", From: 812_434}}
	c[5].ClosingTxid, c[5].ClosingHeight, c[5].FinalHeight = strings.Repeat("c", 64), 812_201, 812_300
	return s
}

func TestAReportStatesTheNumbersOfTheStatus(t *testing.T) {
	s := onTheWay(t)
	text, err := page.Make(s, statusNow)
	if err != nil {
		t.Fatal(err)
	}
	got := figures(t, text)
	if got["recovered"][0] != s.Totals.RecoveredMsat || got["share"][0] != s.Totals.LastKnownShareMsat {
		t.Errorf("totals: %v", got)
	}
	var shares, recovered, expected, unclaimed uint64
	for i := range s.Channels {
		shares += *s.Channels[i].LastKnownShareMsat
		recovered += s.Channels[i].RecoveredMsat
		expected += s.Channels[i].ExpectedMsat
		unclaimed += s.Channels[i].UnclaimedMsat
	}
	if sum(got["share"])-got["share"][0] != shares || sum(got["recovered"])-got["recovered"][0] != recovered ||
		sum(got["expected"]) != expected || sum(got["unclaimed-msat"]) != unclaimed {
		t.Errorf("channels: %v", got)
	}
	// The bar is of one piece: its parts are the whole share.
	if sum(got["part"]) != s.Totals.LastKnownShareMsat {
		t.Errorf("the parts of the bar are %v, of %d", got["part"], s.Totals.LastKnownShareMsat)
	}
	width := 0.0
	for _, m := range regexp.MustCompile(`style="width:([0-9.]+)%"`).FindAllSubmatch(text, -1) {
		w, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		width += w
	}
	if width < 99.9 || width > 100.1 {
		t.Errorf("the bar is %.2f%% wide", width)
	}
	for _, want := range []string{
		"Written 2026-11-26 12:00 UTC at block 812,300", "33% of your last known share",
		"the next blocks, until block 812,434", "at the latest in block 812,345", "at block 812,200",
		strings.Repeat("a", 64) + ":1", "channels entry (number 9 in the file)", "the peer published a commitment",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// A page loads nothing and runs nothing, and nothing that a peer or a backup
// wrote becomes part of its markup.
func TestAReportIsOneInertPage(t *testing.T) {
	s := onTheWay(t)
	const evil = `<script>alert(1)</script><img src=//x.example/>" onload="x`
	s.Alarms, s.Notes, s.Unread = []string{evil}, []string{evil}, []string{evil}
	for i := range s.Channels {
		c := &s.Channels[i]
		c.Reason, c.Todo, c.ClosingTxid, c.WaitsFor, c.RecoveredTo = evil, evil, evil, evil, []string{evil}
		c.State, c.Said, c.Address = model.ChannelState(evil), "said by the peer", "10.1.2.3:9735"
	}
	text, err := page.Make(s, statusNow)
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "img", "link", "iframe", "object", "form", "a", "base":
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "href" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if !bytes.Contains(text, []byte(`content="default-src 'none'; style-src 'unsafe-inline'"`)) || bytes.Contains(text, []byte("url(")) {
		t.Error("the page may load something")
	}
}

func TestReportIsWrittenFromTheNodeAndFromAFile(t *testing.T) {
	dir, socket := runIn(t, "regtest")
	socket.Answer("glrecover-status", onTheWay(t))
	want, err := page.Make(onTheWay(t), statusNow)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report.html")
	code, stdout, stderr := runCLI(t, "report", "-o", out, "--lightning-dir", dir)
	if code != exitOK || stdout+stderr != "" {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	got := mustRead(t, out)
	if figures(t, got)["recovered"][0] != figures(t, want)["recovered"][0] {
		t.Error("the page of the node has other numbers")
	}
	if code, _, stderr := runCLI(t, "report", "-o", out, "--lightning-dir", dir); code != exitProblem || !strings.Contains(stderr, "exists already") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	raw, err := json.Marshal(onTheWay(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "status.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := runCLI(t, "report", file); code != exitOK || stdout != string(got) {
		t.Errorf("exit code %d, %s: the page of the file is another one", code, stderr)
	}
	// As for convert, and it makes no file of that name.
	if code, stdout, stderr := runCLI(t, "report", file, "-o", "-"); code != exitOK || stdout != string(got) {
		t.Errorf("-o -: exit code %d, %s", code, stderr)
	}
	for _, c := range []struct {
		content string
		want    string
	}{{"", "is not the output of glrecover-status"}, {"{}", "is not the output"}, {`{"channels":7,"notes":[]}`, "is not the output"}} {
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := runCLI(t, "report", file); code != exitProblem || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d: %s", c.content, code, stderr)
		}
	}
	if code, _, stderr := runCLI(t, "report", filepath.Join(t.TempDir(), "none")); code != exitUnreadable || !strings.Contains(stderr, "cannot be read") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	// Before a recovery there is a page too.
	socket.Answer("glrecover-status", map[string]any{"channels": []string{}, "notes": []string{"No recovery was started on this node."}})
	if code, stdout, _ := runCLI(t, "report", "--lightning-dir", dir); code != exitOK || !strings.Contains(stdout, "No recovery was started") || strings.Contains(stdout, "<article") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestEveryStateHasAMeaning(t *testing.T) {
	for _, state := range model.States {
		if page.StateMeans[string(state)] == "" {
			t.Errorf("%s has none", state)
		}
	}
	if len(page.StateMeans) != len(model.States) {
		t.Errorf("%d meanings for %d states", len(page.StateMeans), len(model.States))
	}
}

// FuzzReport: whatever the plugin answers becomes a page, and none of it markup.
func FuzzReport(f *testing.F) {
	raw, err := json.Marshal(onTheWay(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"channels":[{"state":"<b>","reason":"</p><script>","waits_for":"blocks","outputs":[{"spendable_from":4294967295}]}]}`))
	f.Add([]byte(`{"totals":{"recovered_msat":18446744073709551615,"expected_msat":18446744073709551615,"last_known_share_msat":1}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := new(tell.Status)
		if json.Unmarshal(raw, s) != nil {
			return
		}
		text, err := page.Make(s, statusNow)
		if err != nil {
			t.Fatal(err)
		}
		figures(t, text)
		if bytes.Contains(text, []byte("<script")) {
			t.Fatal("a script")
		}
	})
}
