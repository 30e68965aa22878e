package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/vlsstate"
)

var verifyCommand = command{
	name:    "verify",
	args:    "[--json] [--hsm-secret PATH] FILE",
	summary: "prove with the secret that a signer backup is your node's",
	help: `FILE is a signer backup, or - for standard input. The secret is asked for at the
terminal and not shown. It proves the node id, the signature of each entry, your
keys of each channel (by the peer's signatures on your commitments, where the
backup holds one), the peer's revealed secrets, and that each channel which the
signer watches is there. This proves where the backup comes from, not that it is the
latest: an older one of the same signer passes too, and the file's date is not
signed. It exits with 0 only if everything that can be checked is proven. What this
backup cannot prove is printed as "not provable", and so are addresses that
glrecover snapshot added; they do not make it fail.

  --hsm-secret PATH
      a file that only you may read: lightningd's hsm_secret, vlsd's node.seed, words,
      hex, a hex dump or base64;
      - reads standard input
  --json
      for programs, with the name of every entry
`,
	run: verify,
}

func verify(c *cli, args []string) error {
	fs := flags("verify")
	asJSON := fs.Bool("json", false, "")
	path := fs.String("hsm-secret", "", "")
	files, err := parse(fs, args, "FILE")
	if err != nil {
		return err
	}
	if err := oneStdin(files[0], *path); err != nil {
		return err
	}
	if _, ok := terminal(c.stdin); *path == "" && (!ok || files[0] == "-") {
		return usagef("--hsm-secret is missing, and there is no terminal to ask for the secret")
	}
	b, err := c.load(files[0])
	if err != nil {
		return err
	}
	source, err := c.namedSecret(*path, b.NodeID)
	if err != nil {
		return err
	}
	defer source.Wipe()
	ask := c.ask()
	if *path == "-" || files[0] == "-" {
		ask = nil
	}
	secret, err := c.secretFor(b, source, ask)
	if err != nil {
		if *asJSON && failure.NameOf(err) == failure.WrongNode {
			return errors.Join(err, c.writeJSON(wrongNodeJSON(b, err)))
		}
		return err
	}
	defer secret.Wipe()
	report, err := proofs.Verify(b, secret)
	if err != nil {
		return err
	}
	if *asJSON {
		err = c.writeJSON(verifyJSON(b, report, secret, c.now()))
	} else {
		err = c.write([]byte(verifyText(b, report, secret, c.now())))
	}
	if err == nil && !report.Proven() {
		err = errProblem
	}
	return err
}

// namedSecret opens the secret: a file, standard input, or the terminal.
func (c *cli) namedSecret(path string, want channel.PubKey) (*keychain.Source, error) {
	switch path {
	case "":
		return c.typedSecret("Secret: the words, 64 hex digits or codex32", want)
	case "-":
		return keychain.FromReader(c.stdin)
	}
	return keychain.Open(path, true)
}

// verifyText is the table for a person.
func verifyText(b *vlsstate.Backup, r *proofs.Report, secret *keychain.Secret, now time.Time) string {
	var s strings.Builder
	head := &table{}
	head.row("node", r.BackupNode.String())
	if !b.CreatedAt.IsZero() {
		head.row("backup of", b.CreatedAt.Format(time.DateTime)+" UTC")
	}
	head.row("secret", secret.Kind().String())
	s.WriteString(head.String() + "\n")

	statuses := []proofs.Status{proofs.Proven, proofs.NotProvable, proofs.Missing, proofs.Wrong}
	line := func(label string, cells ...string) {
		s.WriteString(pad(label, 22))
		for _, cell := range cells {
			s.WriteString(strings.Repeat(" ", max(1, 14-len(cell))) + cell)
		}
		s.WriteString("\n")
	}
	titles := make([]string, len(statuses))
	for i, status := range statuses {
		titles[i] = words(status)
	}
	line("", titles...)
	all := r.Checks()
	for _, kind := range checkKinds(all) {
		cells := make([]string, len(statuses))
		for i, status := range statuses {
			cells[i] = fmt.Sprint(countOf(all, kind, status))
		}
		line(strings.ReplaceAll(string(kind), "_", " "), cells...)
	}
	s.WriteString("\n")
	for _, e := range r.Entries {
		if e.Status == proofs.Proven || e.Status == proofs.NotProvable && e.Kind != proofs.PeerAddress && e.Kind != proofs.OlderMark {
			continue
		}
		what := e.Text
		if e.Entry != "" {
			what = "entry " + e.Entry + ": " + what
		}
		fmt.Fprintf(&s, "%s: %s\n", strings.ToUpper(words(e.Status)), plain(what))
	}
	for i := range r.Channels {
		ch := &r.Channels[i]
		fmt.Fprintf(&s, "channel %d with %s: %s\n", ch.Channel.DBID, ch.Channel.Peer, keysLine(ch.Status()))
		checks := &table{indent: "  "}
		for _, check := range ch.Checks {
			checks.row(words(check.Status), check.Text)
		}
		s.WriteString(checks.String())
	}
	if len(r.Channels) == 0 {
		s.WriteString("There is no channel in this backup.\n")
	}
	s.WriteString("\n")
	if r.Proven() {
		s.WriteString("Everything that can be checked is proven.\n")
	} else {
		fmt.Fprintf(&s, "NOT PROVEN: %d wrong, %d missing.\n", r.Count(proofs.Wrong), r.Count(proofs.Missing))
	}
	s.WriteString(proofs.Freshness + ".\n")
	for _, w := range verifyWarnings(b, r, secret, now) {
		s.WriteString("WARNING: " + plain(w) + ".\n")
	}
	return s.String()
}

// verifyWarnings are about the secret, about what no check can see, and about
// what was read and not used.
func verifyWarnings(b *vlsstate.Backup, r *proofs.Report, secret *keychain.Secret, now time.Time) []string {
	warnings := append([]string{}, proofs.Warnings(secret)...)
	if !r.Signed() {
		warnings = append(warnings, proofs.Unsigned)
	}
	// A signer's clock may be a little ahead of this machine's.
	if b.CreatedAt.After(now.Add(10 * time.Minute)) {
		warnings = append(warnings, "the backup is dated in the future: either its date, which is not signed, was changed, or a clock is wrong")
	}
	return append(warnings, vlsstate.Lines(b.Problems, vlsstate.Noted)...)
}

func keysLine(s proofs.Status) string {
	switch s {
	case proofs.Proven:
		return "your keys are proven"
	case proofs.Wrong:
		return "SOMETHING IS WRONG"
	}
	return "not provable from this backup"
}

// words is a status for a person.
func words(s proofs.Status) string { return strings.ReplaceAll(string(s), "_", " ") }

// checkKinds lists the kinds of checks among checks, in their order.
func checkKinds(checks []proofs.Check) []proofs.Kind {
	var kinds []proofs.Kind
	for _, c := range checks {
		if !slices.Contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

func countOf(checks []proofs.Check, kind proofs.Kind, status proofs.Status) int {
	n := 0
	for _, c := range checks {
		if c.Kind == kind && c.Status == status {
			n++
		}
	}
	return n
}

type verifyResult struct {
	NodeID   channel.PubKey        `json:"node_id"`
	Proven   bool                  `json:"proven"`
	Secret   *verifySecret         `json:"secret"`
	Counts   map[proofs.Status]int `json:"counts"`
	Checks   []proofs.Check        `json:"checks"`
	Channels []verifyChannel       `json:"channels"`
	Mistake  *proofs.Diagnosis     `json:"mistake,omitempty"`
	Note     string                `json:"note"`
	Warnings []string              `json:"warnings"`
}

type verifySecret struct {
	Form        string `json:"form"`
	WholeWallet bool   `json:"whole_wallet"`
}

type verifyChannel struct {
	PeerID    channel.PubKey `json:"peer_id"`
	DBID      uint64         `json:"dbid"`
	ChannelID string         `json:"channel_id"`
	Status    proofs.Status  `json:"status"`
	Checks    []proofs.Check `json:"checks"`
}

func verifyJSON(b *vlsstate.Backup, r *proofs.Report, secret *keychain.Secret, now time.Time) verifyResult {
	v := verifyResult{
		NodeID: b.NodeID, Proven: r.Proven(),
		Secret:   &verifySecret{Form: secret.Kind().String(), WholeWallet: secret.WholeWallet()},
		Counts:   make(map[proofs.Status]int),
		Checks:   append([]proofs.Check{r.Node}, r.Entries...),
		Channels: []verifyChannel{},
		Note:     proofs.Freshness,
		Warnings: verifyWarnings(b, r, secret, now),
	}
	for _, s := range []proofs.Status{proofs.Proven, proofs.NotProvable, proofs.Missing, proofs.Wrong} {
		v.Counts[s] = r.Count(s)
	}
	for i := range r.Channels {
		ch := &r.Channels[i]
		v.Channels = append(v.Channels, verifyChannel{
			PeerID: ch.Channel.Peer, DBID: ch.Channel.DBID, ChannelID: ch.ID.String(), Status: ch.Status(), Checks: ch.Checks,
		})
	}
	return v
}

// wrongNodeJSON is the result where the secret is another node's: nothing else
// was checked.
func wrongNodeJSON(b *vlsstate.Backup, err error) verifyResult {
	v := verifyResult{
		NodeID: b.NodeID, Counts: map[proofs.Status]int{proofs.Wrong: 1},
		Checks:   []proofs.Check{{Kind: proofs.NodeID, Status: proofs.Wrong, Text: "the secret belongs to another node"}},
		Channels: []verifyChannel{}, Note: proofs.Freshness, Warnings: []string{},
	}
	var f *failure.Error
	if errors.As(err, &f) {
		if d, ok := f.Data.(proofs.Diagnosis); ok {
			v.Mistake = &d
		}
	}
	return v
}
