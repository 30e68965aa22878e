package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// Three phrases with right checksums. The first still has one when its words 5
// and 8 are exchanged, so lightningd takes it either way.
const (
	walletWords h.Words = "rescue hammer biology setup grass marine walk guilt quote warm pink royal"
	wholeWords  h.Words = "hub expand share amazing human process swing vacuum abandon enter unique card"
	otherWords  h.Words = "follow useless only crystal slight tobacco honey announce mammal whale lens more"
)

// Two nodes whose secret is Greenlight's of twelve words are lost. The heirs of
// the first start from lightningd's own file of words, in several ways; the
// heir of the second from the file that glrecover hsm-secret writes.
func TestHeirsOfTheTwelveWords(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var peer, first, second *h.CLN
		lost := func(at **h.CLN, name string, words h.Words) func() {
			cfg := src.Config()
			cfg.Secret = words.Secret()
			return func() { *at = n.CLN(name, cfg) }
		}
		h.Together(t,
			func() { peer = n.CLN("peer", h.CLNConfig{}) },
			lost(&first, "first", walletWords), lost(&second, "second", wholeWords),
		)
		unseen, addresses := firstAddresses(first), firstAddresses(second)
		one := &h.Lane{From: first, To: peer, Sat: 1_000_000}
		two := &h.Lane{From: second, To: peer, Sat: 900_000}
		n.OpenLanes(one, two)
		h.Together(t, func() { n.UseLane(one) }, func() { n.UseLane(two) })
		before := n.Bitcoind.Height()
		hidden, coin := n.Bitcoind.Send(unseen[1], 1_500_000), n.Bitcoind.Send(addresses[1], 2_000_000)
		rescan := fmt.Sprintf("--rescan=-%d", before)
		n.Mine(1)
		// Deeper than a fresh lightningd looks by itself.
		n.Bitcoind.MineEmpty(40)
		peer.WaitSynced()
		backup, wholeBackup := src.Lose(first), src.Lose(second)

		var own, file *h.CLN
		refused := []*refusedHeir{
			{
				story: "the right words with a passphrase", words: walletWords, passphrase: "correct horse",
				says: "passphrase", mistake: "passphrase", certain: true,
			},
			{
				story: "the right words in another order", words: walletWords.Exchanged(5, 8),
				says: "words 5 and 8 are swapped", mistake: "word_order", certain: true,
			},
			{
				story: "other words", words: otherWords,
				says: "belong to another node", mistake: "other_words",
			},
		}
		starts := []func(){
			func() { own = n.CLN("own", h.CLNConfig{SecretFile: walletWords.File(""), Plugin: true}) },
			func() { file = heirByHSMSecret(t, n, wholeWords, wholeBackup) },
		}
		for i, r := range refused {
			starts = append(starts, func() {
				r.node = n.CLN(fmt.Sprintf("refused%d", i), h.CLNConfig{
					SecretFile: r.words.File(r.passphrase), Passphrase: r.passphrase, Plugin: true,
				})
			})
		}
		h.Together(t, starts...)

		for _, r := range refused {
			t.Run("an heir with "+r.story+" is refused and told why", func(t *testing.T) { r.test(t, first.ID, backup) })
		}
		t.Run("lightningd's own file of words recovers the channel and warns of the wallet", func(t *testing.T) {
			if own.ID != first.ID {
				t.Fatalf("the heir is %s, the lost node was %s", own.ID, first.ID)
			}
			answer := own.Recover(backup)
			wantImported(t, own, answer, one.Funding)
			if w := walletWarning(answer); !strings.Contains(w, "a different on-chain wallet") || !strings.Contains(w, "glrecover hsm-secret") {
				t.Errorf("no warning of the wallet with the way to the whole one:\n%s", answer.Raw)
			}
			steps := strings.Join(answer.NextSteps, "\n")
			if strings.Contains(steps, "show after one restart") || !strings.Contains(steps, "cannot see the coins that the lost node had on chain, not even after a rescan") {
				t.Errorf("the next steps promise the old coins:\n%s", steps)
			}
			wantCoin(t, n, own, answer, one)
			// The warning is true.
			own.Restart(rescan)
			if err := own.LacksOutputOf(hidden); err != nil {
				t.Errorf("the old coin is not lost to this wallet: %v", err)
			}
			for _, a := range firstAddresses(own) {
				if slices.Contains(unseen, a) {
					t.Errorf("%s is an address of the lost node's wallet", a)
				}
			}
		})
		t.Run("the file that hsm-secret writes brings channel and wallet", func(t *testing.T) {
			if file.ID != second.ID {
				t.Fatalf("the heir is %s, the lost node was %s", file.ID, second.ID)
			}
			answer := file.Recover(wholeBackup)
			wantImported(t, file, answer, two.Funding)
			if w := walletWarning(answer); w != "" {
				t.Errorf("a warning of the wallet without need: %s", w)
			}
			wantCoin(t, n, file, answer, two)
			if got := firstAddresses(file); !slices.Equal(got, addresses) {
				t.Errorf("the heir's first addresses are %v, the lost node's were %v", got, addresses)
			}
			if err := file.LacksOutputOf(coin); err != nil {
				t.Errorf("the scenario is too shallow: %v before the rescan", err)
			}
			file.Restart(rescan)
			h.Wait(t, "the old coin in the wallet", func() error { return file.HasOutputOf(coin) })
			if got := file.Received(coin); got != 2_000_000 {
				t.Errorf("%d sat on the old address, want 2,000,000", got)
			}
		})
	})
}

// heirByHSMSecret does what a user does: types the words into glrecover
// hsm-secret and starts lightningd with the file.
func heirByHSMSecret(t *testing.T, n *h.Net, words h.Words, b h.Backup) *h.CLN {
	t.Helper()
	node := n.NewCLN("whole", h.CLNConfig{Plugin: true})
	if err := os.Remove(node.SecretPath()); err != nil {
		t.Fatalf("%v", err)
	}
	run := n.Command(string(words)+"\n", "hsm-secret", "--out", node.SecretPath(), b.Path)
	if run.Code != 0 || !strings.Contains(run.Stdout, node.SecretPath()) {
		t.Fatalf("hsm-secret ended with %d: %s", run.Code, run.Text())
	}
	info, err := os.Stat(node.SecretPath())
	if err != nil || info.Size() != 32 || info.Mode().Perm() != 0o400 {
		t.Fatalf("hsm-secret left %v (%v), want 32 bytes of mode 0400", info, err)
	}
	node.Start()
	return node
}

// firstAddresses takes the first three addresses of a fresh node.
func firstAddresses(node *h.CLN) []string {
	return []string{node.NewAddress(), node.NewAddress(), node.NewAddress()}
}

// walletWarning is the answer's warning that speaks of the wallet, or "".
func walletWarning(a *h.Answer) string {
	for _, w := range a.Warnings {
		if strings.Contains(w, "wallet") {
			return w
		}
	}
	return ""
}

// wantCoin waits for the used lane's close and for our share of it.
func wantCoin(t *testing.T, n *h.Net, node *h.CLN, a *h.Answer, l *h.Lane) {
	t.Helper()
	share := a.Of(l.Funding).Share.Sat()
	got := recovered(t, n, node, n.WaitSpent(l.Funding))
	// Fee and anchors of the peer's commitment come from the opener's share.
	if got > share || got+10_000 < share {
		t.Errorf("%d sat came back of a share of %d", got, share)
	}
	wantCredited(t, node, a.Of(l.Funding).ChannelID)
}

// refusedHeir was started with words that are not the lost node's.
type refusedHeir struct {
	story      string
	words      h.Words
	passphrase string
	// says is in the refusal, mistake and certain in its data.
	says    string
	mistake string
	certain bool

	node *h.CLN
}

func (r *refusedHeir) test(t *testing.T, lostID string, b h.Backup) {
	t.Helper()
	if r.node.ID == lostID {
		t.Fatal("the scenario is wrong: this is the lost node's secret")
	}
	before := r.node.Snapshot()
	_, err := r.node.Glrecover(h.Params{"backup": b.Path, "decommissioned": true})
	wantRefusal(t, err, "wrong_node", 3110)
	e := h.AsRPCError(err)
	if e == nil {
		return
	}
	for _, want := range []string{r.says, lostID, r.node.ID} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("the refusal does not say %q: %s", want, e.Message)
		}
	}
	for _, word := range strings.Fields(string(r.words)) {
		// Short words of the phrase are words of plain English, too.
		if len(word) > 6 && strings.Contains(e.Message+string(e.Data), word) {
			t.Errorf("the refusal tells the word %q", word)
		}
	}
	var data struct {
		Mistake string `json:"mistake"`
		Certain bool   `json:"certain"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.Mistake != r.mistake || data.Certain != r.certain {
		t.Errorf("data %s (%v), want the mistake %q, certain: %v", e.Data, err, r.mistake, r.certain)
	}
	if after := r.node.Snapshot(); after != before {
		t.Errorf("the node changed:\n%s\nbefore:\n%s", after, before)
	}
}
