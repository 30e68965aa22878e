package plugin

import (
	"fmt"
	"slices"
	"strings"
)

// manual is the manual of one method. Since v24.11 `lightning-cli help METHOD`
// shows the man page lightning-METHOD(7) and nothing that a plugin sends, so
// the same text is made into a page by ManPage.
type manual struct {
	summary  string
	sections []section
}

type section struct{ title, body string }

var manuals = map[string]manual{
	"glrecover": {
		summary: "Bring the coins of a lost Greenlight node back into this node's wallet",
		sections: []section{
			{"DESCRIPTION", `glrecover takes the signer backup of a Greenlight node that is gone for good, makes every channel of it known to this node, and asks the peers to close them. The coins then come into this node's own wallet. This node must run with the same secret (hsm_secret) as the lost one.

It is for disasters only, never for migration. While the hosted node can still run, two nodes share one key, and everything can be lost. After the recovery the signer must never connect to the hosted node again.

After an import open no channel on this node. First restart lightningd, then wait until every channel of the backup is resolved. glrecover refuses openings until then.`},
			{"PARAMETERS", `backup: absolute path of the backup file, or the backup's JSON itself. A relative path is an error. A shell allows 128 KiB for one argument: give the path of larger ones. JSON may have 4 MiB.

decommissioned: true states that the hosted node can never run again. Without it nothing is changed and the command ends with not_decommissioned.

dry_run: true shows what would be done, changes nothing and contacts no peer.

addresses: an object of node ids and addresses, such as {"02...":"host:9735"}, for peers whose address is unknown or has changed.

destination, feerate: kept for later versions and refused by this one. What comes back goes to this node's wallet; a close that stays unconfirmed for six blocks is paid for with coins of that wallet, with at most half of what it brings back.

skip_incomplete: true leaves out the channels for whose peers no address is known, instead of importing them with a placeholder.

override: name, or list of names, of the refusals that you accept: hosted_node_alive (gossip knows the node after the backup was written) or peer_stale (a peer has lost its state).`},
			{"RETURN VALUE", `An object that lists each channel of the backup with what was found on the chain, what was done and what is still to do, then totals and next steps. Amounts end in _msat. Running the command again changes nothing that is done already.`},
			{"ERRORS", `Messages begin with a stable name, such as not_decommissioned, wrong_node, wrong_network, dbid_conflict, not_a_backup or invalid_parameter. The codes are in docs/errors.md.`},
			{"EXAMPLE", `lightning-cli glrecover backup=/home/me/backup.json decommissioned=true dry_run=true`},
		},
	},
	"glrecover-inspect": {
		summary: "Show what is in a signer backup",
		sections: []section{
			{"DESCRIPTION", `glrecover-inspect lists the channels of a signer backup: peer, funding, capacity, our last known share, pending HTLCs, and whether the signer believes the channel closed. It has no effects, contacts nobody and needs no statement. Invoices and payees are never shown.`},
			{"PARAMETERS", `backup: absolute path of the backup file, or the backup's JSON itself, as in glrecover.`},
		},
	},
	"glrecover-status": {
		summary: "Show how far each channel under recovery is",
		sections: []section{
			{"DESCRIPTION", `glrecover-status shows the state of each channel until its coins are in the wallet: since when, what it waits for, what came back and to which outpoint, and what you can do. listfunds shows these channels with 0: they are stubs, and their coins appear as outputs when they come. lightning-cli prints lines for people; with -J it prints JSON.`},
			{"PARAMETERS", `channel: channel id, funding outpoint or its txid, or node id of the peer. Without it all channels are shown.`},
		},
	},
	"glrecover-retry": {
		summary: "Try again now, instead of at the next planned time",
		sections: []section{
			{"DESCRIPTION", `glrecover-retry makes glrecover look at the chain and contact the peers now.`},
			{"PARAMETERS", `channel: as in glrecover-status. Without it all channels are tried.`},
		},
	},
	"glrecover-forget": {
		summary: "Forget the record of a channel that is resolved",
		sections: []section{
			{"DESCRIPTION", `glrecover-forget deletes glrecover's own record of a channel. It changes nothing in lightningd and nothing on the chain. It is refused with output_unclaimed while an output of ours is unclaimed.`},
			{"PARAMETERS", `channel: as in glrecover-status. Without it all resolved channels are forgotten.`},
		},
	},
}

// text is the manual as plain text.
func (m manual) text() string {
	var b strings.Builder
	for i, s := range m.sections {
		if i > 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "%s\n\n%s", s.title, s.body)
	}
	return b.String()
}

// ManPages lists the methods that have a manual, in order.
func ManPages() []string {
	var names []string
	for name := range manuals {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ManPage is the man page lightning-METHOD.7 in roff, "" for an unknown method.
// `lightning-cli help METHOD` shows it once it is in the MANPATH.
func ManPage(name string) string {
	m, ok := manuals[name]
	if !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH \"LIGHTNING-%s\" \"7\" \"\" \"glrecover\" \"Core Lightning plugin\"\n", roff(strings.ToUpper(name)))
	fmt.Fprintf(&b, ".SH NAME\nlightning-%s \\- %s\n", roff(name), roff(m.summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n%s\n", roff(name), roff(usage(paramsOf[name])))
	for _, s := range m.sections {
		fmt.Fprintf(&b, ".SH %s\n", s.title)
		for i, paragraph := range strings.Split(s.body, "\n\n") {
			if i > 0 {
				b.WriteString(".PP\n")
			}
			b.WriteString(roff(paragraph) + "\n")
		}
	}
	return b.String()
}

// roff escapes text: backslashes, hyphens, and a dot or quote at a line's
// start.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
