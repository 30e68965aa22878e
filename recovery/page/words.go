package page

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/tell"
)

// StateWords are the states, by their stable names, for people, in at most 17 characters.
var StateWords = map[string]string{
	"import_deferred":     "waits its turn",
	"left_out":            "left out",
	"funding_unconfirmed": "funding too young",
	"ask_first":           "asked first",
	"peer_forgot_channel": "PEER FORGOT IT",
	"imported":            "imported",
	"close_requested":     "asked to close",
	"close_seen":          "closing",
	"cheated":             "CHEATED",
	"outputs_waiting":     "coins on the way",
	"credited":            "coins are here",
	"resolved":            "done",
	"lost_to":             "LOST",
	"needs_address":       "no address",
	"needs_secret":        "no secret",
	"peer_stale":          "peer lost state",
	"hosted_node_alive":   "HOSTED NODE ALIVE",
	"needs_operator":      "needs you",
}

// StateText is a state for people, also one that this version does not know.
func StateText(state model.ChannelState) string {
	if word, ok := StateWords[string(state)]; ok {
		return word
	}
	return strings.ReplaceAll(string(state), "_", " ")
}

// ForYou are the things that only the operator has.
var ForYou = []string{"operator", "address", "secret", "fee"}

// Percent is a part of a whole in words: 100% is said of all of it alone.
func Percent(part, whole uint64) string {
	switch {
	case whole == 0:
		return "nothing"
	case part == 0:
		return "0%"
	case part >= whole:
		return "100%"
	}
	// At most 99, since it is not all.
	return fmt.Sprintf("%d%%", min(max(part/max(whole/100, 1), 1), 99))
}

// Todo is something to do, for one channel or for several.
type Todo struct {
	Todo, Reason string
	// Where names the channels: "#1, #4".
	Where  string
	Urgent bool
	where  []string
	// rank is lowest for what cannot wait.
	rank int
}

// Todos lists what the operator can do, equal things of several channels once,
// what only he can do first.
func Todos(channels []tell.ChannelStatus) []Todo {
	var items []Todo
	for i := range channels {
		c := &channels[i]
		if c.Todo == "" && c.Reason == "" || c.State == model.Resolved {
			continue
		}
		at := slices.IndexFunc(items, func(it Todo) bool { return it.Todo == c.Todo && it.Reason == c.Reason })
		if at < 0 {
			at = len(items)
			items = append(items, Todo{Todo: c.Todo, Reason: c.Reason, Urgent: slices.Contains(ForYou, c.WaitsFor), rank: rankOf(c)})
		}
		items[at].where = append(items[at].where, fmt.Sprint(i+1))
	}
	for i := range items {
		it := &items[i]
		it.Where = "#" + strings.Join(it.where[:min(len(it.where), 8)], ", #")
		if more := len(it.where) - 8; more > 0 {
			it.Where += fmt.Sprintf(" and %d more", more)
		}
		if it.Todo == "" {
			it.Todo = "nothing"
		}
	}
	slices.SortStableFunc(items, func(a, b Todo) int { return cmp.Compare(a.rank, b.rank) })
	return items
}

func rankOf(c *tell.ChannelStatus) int {
	switch {
	case c.State == model.Cheated || c.State == model.LostTo || c.State == model.HostedAlive:
		return 0
	case slices.Contains(ForYou, c.WaitsFor):
		return 1
	}
	return 2
}

// StateMeans says what each state means to somebody who has read nothing else.
var StateMeans = map[string]string{
	"import_deferred":     "The channel is known and is handed to lightningd next.",
	"left_out":            "Nothing is done for this channel. The reason says why.",
	"funding_unconfirmed": "The channel is so young that its opening has fewer than three confirmations. To close it now could lose it, so its turn comes by itself.",
	"ask_first":           "The peer is asked to close before lightningd is told of the channel, because this peer could forget the channel otherwise.",
	"peer_forgot_channel": "The peer does not know the channel any more, and the coins are still locked in it. Only the peer's operator can help.",
	"imported":            "lightningd knows the channel. The peer has not been asked to close it yet.",
	"close_requested":     "The peer was asked to close the channel. Its closing transaction has not been seen yet.",
	"close_seen":          "The peer has published the closing transaction. It waits for a block.",
	"cheated":             "The peer published an old state of the channel, which it must not do. There is a deadline. glrecover takes what the channel holds if the backup has the secret for it; if not, the reason says so: get help at once.",
	"outputs_waiting":     "The channel is closed. Coins that are yours, or may be, have not arrived yet.",
	"credited":            "Everything that this close owes you is in the wallet and can be spent.",
	"resolved":            "Done and final.",
	"lost_to":             "Coins had come to the wallet, and somebody else has spent them.",
	"needs_address":       "Nobody knows where the peer is on the network. Give its address.",
	"needs_secret":        "glrecover cannot read the node's secret (hsm_secret), so it cannot speak to the peer.",
	"peer_stale":          "The peer has lost part of its own data. Asking it to close now could harm it, and you decide.",
	"hosted_node_alive":   "The lost node seems to be running. Nothing more is asked of any peer until you say that it is dead.",
	"needs_operator":      "Something happened that only you can decide. The reason says what.",
}

// Sat writes an amount with Thousands separators.
func Sat(amount uint64) string { return Thousands(amount) + " sat" }

var bareAmount = regexp.MustCompile(`\b\d{4,} sat\b`)

// Amounts gives a sentence's amounts the separators that the tables beside it have.
func Amounts(text string) string {
	return bareAmount.ReplaceAllStringFunc(text, func(bare string) string {
		n, err := strconv.ParseUint(strings.TrimSuffix(bare, " sat"), 10, 64)
		if err != nil {
			return bare
		}
		return Sat(n)
	})
}

// Thousands writes a number with separators.
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count writes a number with the right form of a noun.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Thousands(uint64(n)) + " " + many
}
