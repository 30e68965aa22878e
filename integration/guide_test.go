package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// The page for the worst day is followed literally: each command in it is typed,
// and what it prints is what the page shows, but for amounts, ids and times.
func TestTheRecoveryGuideIsFollowedLiterally(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		cfg := src.Config()
		cfg.Secret = wholeWords.Secret()
		lost := n.CLN("lost", cfg)
		funding := n.Open(lost, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(lost, peer, funding, 1_000_000)
		g := &guide{t: t, n: n, src: src, home: filepath.Join(n.Dir, "home"), funding: funding}
		if err := os.Mkdir(g.home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(g.home, "backup.json"), src.Lose(lost).Bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
		// Deeper than a fresh lightningd looks by itself for the lost node's coins.
		n.Bitcoind.MineEmpty(40)
		peer.WaitSynced()
		g.replay()
	})
}

var guidePath = filepath.Join("..", "docs", "recovery-guide.md")

// guide replays the page. Its blocks marked `console` begin with "$ COMMAND";
// comments "replay: ..." between them say what happens in the world.
type guide struct {
	t       *testing.T
	n       *h.Net
	src     h.Source
	home    string
	me      *h.CLN
	funding h.Outpoint
	// parts are the top-level keys of an answer that the next block shows.
	parts []string
	// rescan is the option that the next steps name.
	rescan string
	ran    int
}

var guideBlock = regexp.MustCompile("(?ms)^```console\n\\$ ([^\n]*)\n(.*?)^```$|^<!-- replay: ([^\n]*) -->$")

func (g *guide) replay() {
	t := g.t
	page, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	end := 0
	for _, m := range guideBlock.FindAllSubmatchIndex(page, -1) {
		made.Write(page[end:m[0]])
		end = m[1]
		if m[6] >= 0 {
			made.Write(page[m[0]:m[1]])
			g.world(string(page[m[6]:m[7]]))
			continue
		}
		typed, shown := string(page[m[2]:m[3]]), string(page[m[4]:m[5]])
		got := g.friendly(g.typeIn(typed))
		// A synthetic backup has no signature that verify could prove.
		unsigned := !g.src.Genuine && strings.HasPrefix(typed, "glrecover verify ")
		if leveled(got) != leveled(shown) && !writing() && !unsigned {
			t.Errorf("$ %s\nprints\n%s\nand %s shows\n%s\nWith %s=1 the page is written anew.", typed, got, guidePath, shown, docsEnv)
		}
		fmt.Fprintf(&made, "```console\n$ %s\n%s```", typed, got)
		g.ran++
	}
	made.Write(page[end:])
	if g.ran < 8 {
		t.Fatalf("%d commands were found in %s", g.ran, guidePath)
	}
	if writing() {
		if err := os.WriteFile(guidePath, made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// world does what no command of the page shows.
func (g *guide) world(what string) {
	t := g.t
	t.Helper()
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "show":
		g.parts = strings.Split(rest, ", ")
	case "start":
		// What the page says in words: the secret in its place, and offline.
		secret, err := os.ReadFile(filepath.Join(g.home, "hsm_secret"))
		if err != nil {
			t.Fatal(err)
		}
		g.me = g.n.NewCLN("me", h.CLNConfig{SecretFile: secret, Plugin: true, Options: []string{"offline"}})
		if err := os.Symlink(g.me.Dir, filepath.Join(g.home, ".lightning")); err != nil {
			t.Fatal(err)
		}
		g.me.Start()
	case "restart":
		if g.rescan == "" {
			t.Fatal("no next step names a rescan, though the lost node had coins on chain")
		}
		g.me.Config.Options = nil
		g.me.Restart("--" + g.rescan)
	case "close":
		g.n.WaitSpent(g.funding)
		h.Wait(t, "the close in the status", func() error { return g.stateIs("close_seen") })
	case "mine":
		blocks := 0
		if _, err := fmt.Sscan(rest, &blocks); err != nil {
			t.Fatal(err)
		}
		g.n.Mine(blocks, g.me)
	case "wait":
		h.Wait(t, rest, func() error { return g.stateIs(rest) })
	default:
		t.Fatalf("%s: %q is nothing that can be replayed", guidePath, what)
	}
}

func (g *guide) stateIs(want string) error {
	for _, c := range g.me.Status().Channels {
		if c.State != want {
			return fmt.Errorf("%s, %s", c.State, c.Reason)
		}
	}
	return nil
}

// typeIn runs a command of the page in the home directory.
func (g *guide) typeIn(typed string) string {
	t := g.t
	t.Helper()
	typed = strings.ReplaceAll(typed, "/home/me/", g.home+"/")
	words := strings.Fields(typed)
	switch words[0] {
	case "lightning-cli":
		run := g.me.CLI(words[1:]...)
		if option := rescanOption.FindString(run.Stdout); option != "" {
			g.rescan = option
		}
		return g.shorten(run.Screen())
	case "glrecover":
		cmd := exec.Command(h.PluginBinary(t), words[1:]...)
		cmd.Dir, cmd.Env = g.home, append(os.Environ(), "HOME="+g.home)
		if words[1] == "hsm-secret" || words[1] == "verify" {
			cmd.Stdin = strings.NewReader(string(wholeWords) + "\n")
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatalf("%s: %v", typed, err)
		}
		return string(out)
	}
	t.Fatalf("%s: %q cannot be replayed", guidePath, typed)
	return ""
}

var topLevel = regexp.MustCompile(`^   "(\w+)": `)

// shorten keeps of a JSON answer what the page shows of it.
func (g *guide) shorten(screen string) string {
	parts := g.parts
	g.parts = nil
	if parts == nil {
		return screen + "\n"
	}
	var out []string
	keep := true
	for _, line := range strings.Split(screen, "\n") {
		if m := topLevel.FindStringSubmatch(line); m != nil {
			was := keep
			keep = false
			for _, p := range parts {
				keep = keep || p == m[1]
			}
			if was && !keep {
				out = append(out, "   ...")
			}
		}
		if keep || line == "}" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

var (
	rescanOption = regexp.MustCompile(`rescan=-\d+`)
	// notice is a notification of lightning-cli, and stateOf where a channel is:
	// both depend on how fast the peer is.
	notice         = regexp.MustCompile(`(?m)^# .*$`)
	stateOf        = regexp.MustCompile(`"state": "(imported|close_requested|close_seen)"`)
	regtestAddress = regexp.MustCompile(`\bbcrt1(\w+)`)
	loopback       = regexp.MustCompile(`\b127\.0\.0\.1:\d+`)
	hexRun         = regexp.MustCompile(`\b[0-9a-f]{8,}\b`)
	address        = regexp.MustCompile(`\bbc1\w+`)
	number         = regexp.MustCompile(`\d[\d,.]*`)
	bar            = regexp.MustCompile(`[#-]{3,}`)
	ago            = regexp.MustCompile(`\(just now\)|\(\d+ \w+ ago\)`)
	unit           = regexp.MustCompile(`[MT]iB`)
	owner          = regexp.MustCompile(`(owned by\s+)\S+`)
	space          = regexp.MustCompile(`\s+`)
)

// friendly is what a run prints, as on the machine of a person.
func (g *guide) friendly(text string) string {
	text = strings.ReplaceAll(text, g.home, "/home/me")
	if g.me != nil {
		text = strings.ReplaceAll(text, g.me.Dir, "/home/me/.lightning")
	}
	text = regtestAddress.ReplaceAllString(text, "bc1$1")
	text = owner.ReplaceAllString(text, "${1}me")
	text = loopback.ReplaceAllString(text, "203.0.113.7:9735")
	return strings.ReplaceAll(text, "regtest", "bitcoin")
}

// leveled leaves out what differs from run to run.
func leveled(text string) string {
	for _, r := range []struct {
		re *regexp.Regexp
		by string
	}{{notice, ""}, {stateOf, "\"state\": S"}, {ago, "(A WHILE AGO)"}, {unit, "GiB"}, {hexRun, "H"}, {address, "A"}, {number, "N"}, {bar, "==="}, {space, " "}} {
		text = r.re.ReplaceAllString(text, r.by)
	}
	return text
}
