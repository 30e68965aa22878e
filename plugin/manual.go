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

Start this node with lightningd's option offline, and connect to no peer before the import. A peer can forget a channel that was opened only just before the loss when it meets a lightningd that does not know the channel, and the coins are then stuck. glrecover connects to the peers itself. Peers that may forget a channel are asked to close before the channel is imported (ask_first). Remove offline at the restart that the next steps ask for.

After an import, do not open a channel on this node until lightningd was restarted and every channel of the backup is resolved. glrecover refuses openings until then.

The guide docs/recovery-guide.md goes through a recovery step by step, with what to expect at each step.`},
			{"PARAMETERS", `backup: absolute path of the backup file, or the backup's JSON itself; without one give peers. A relative path is an error. A shell allows 128 KiB for one argument: give the path of larger ones. JSON may have up to 4 MiB.

decommissioned: true states that the hosted node can never run again. Without it nothing is changed and the command ends with not_decommissioned.

dry_run: true shows what would be done and changes nothing. Without peers it contacts no peer.

addresses: NODE_ID@HOST:PORT, several between commas, or an object such as {"02...":"host:9735"}, for peers whose address is unknown or has changed.

destination: on-chain address to which glrecover's own transactions pay what they claim, instead of this node's wallet. One recovery pays to one address: it can be set until the first such transaction is made. What lightningd itself takes still comes to its wallet.

feerate: feerate of glrecover's own transactions, as for withdraw: a number of sat per 1000 virtual bytes, one with the suffix perkw or perkb, or slow, normal or urgent. The default is lightningd's estimate. If somebody else can take an output, glrecover pays more as the deadline approaches. The fee is at most 10 % of what is claimed, and 90 % where it would be lost otherwise. The value stays until you give another.

skip_incomplete: true leaves out the channels for whose peers no address is known, instead of importing them with a placeholder.

override: name, or list of names, of the refusals that you accept: hosted_node_alive (the network has heard from the node since the backup was written) or peer_stale (a peer has lost its own data).

max_fee_percent: whole number from 0 to 100, 10 if you never give it. If a closing transaction is still unconfirmed six blocks after glrecover saw it, glrecover adds to its fee with coins of this node's wallet (through the channel's anchor output): at most this share of what the close pays to the wallet. glrecover-status announces the amount first. 0: no fee is ever added. The value stays until you give another.

extra: true also imports channels that were opened after the backup was written and are known only from a copy of the lost node's own backup that a peer kept (extra_channels in the answer).

wait: how many seconds to wait for this node while it catches up with the chain, instead of ending with node_syncing.

peers: NODE_ID@HOST:PORT, several between commas, or an array, of peers of the lost node. It takes the place of backup where there is none, and beside a backup it finds channels that were opened later. glrecover connects to the peers first and sends nothing on any channel: a peer mentions its channels by itself, and a CLN peer returns the copy that it kept of the lost node's own backup, which lists further peers; glrecover connects to these too. For each such channel, the answer says how it is known. It needs decommissioned=true, also with dry_run. Without a backup there are no payments that were under way, no penalty if a peer cheats, and no proof of your last share.

since: without a backup: the date, such as 2024-06-30, from which on glrecover looks for closes.`},
			{"RETURN VALUE", `An object that lists each channel of the backup with what was found on the chain, what was done and what is still to do, then totals and next steps. Names of amounts end in _msat: they are in thousandths of a satoshi. Running the command again repeats nothing that is already done.`},
			{"ERRORS", `Messages begin with a stable name, such as not_decommissioned, wrong_node, wrong_network, dbid_conflict, not_a_backup or invalid_parameter. The codes are in docs/errors.md.`},
			{"EXAMPLE", `lightning-cli glrecover backup=/home/me/backup.json decommissioned=true dry_run=true`},
		},
	},
	"glrecover-inspect": {
		summary: "Show what is in a signer backup",
		sections: []section{
			{"DESCRIPTION", `glrecover-inspect lists the channels of a signer backup: peer, funding, capacity, our last known share, pending HTLCs, and whether the signer believes the channel closed. It changes nothing, contacts nobody, and does not need decommissioned=true. Invoices and payees are never shown.`},
			{"PARAMETERS", `backup: absolute path of the backup file, or the backup's JSON itself, as in glrecover.`},
		},
	},
	"glrecover-find": {
		summary: "Find the lost node's coins among all unspent outputs",
		sections: []section{
			{"DESCRIPTION", `glrecover-find has this node's bitcoind search its set of unspent outputs (scantxoutset), which takes some minutes on the main chain and works on a pruned node. It lists each channel's funding output, unspent or spent if that is known; what the peers' commitments pay to you (to_remote), what your own ones do (to_local), and the coins of the lost node's on-chain wallet, with outpoint, height, amount, address type and index; and the setting rescan=-HEIGHT that makes lightningd see them. Nothing is spent or published, and nothing is changed. bitcoind gets only scripts and public keys.

This node must run with the hsm_secret of the lost one. Where no node runs, the command glrecover find does the same.`},
			{"PARAMETERS", `backup: absolute path of the backup file, or the backup's JSON itself, as in glrecover.

states: how many states before and after the backup's to search for to_local of your own commitments; default 500.`},
			{"RETURN VALUE", `An object with the channels, the coins, their totals, rescan (the HEIGHT of the one rescan that brings all that a rescan can, or null) and newaddr_calls (how often to call lightning-cli newaddr all before it on a fresh node: lightningd watches a key only for the address type that it was given out for). Amounts end in _msat.`},
			{"EXAMPLE", `lightning-cli glrecover-find /home/me/backup.json`},
		},
	},
	"glrecover-status": {
		summary: "Show how far each channel under recovery is",
		sections: []section{
			{"DESCRIPTION", `glrecover-status shows the state of each channel until its coins are in the wallet: since when, what it waits for, what came back in which output, and what you can do. listfunds shows these channels with a balance of 0, which is expected: their coins appear under outputs when they arrive. The answer is JSON. On the command line, glrecover status shows it as a table (--watch follows it), and glrecover report, or lightning-cli glrecover-report, as a page for a browser.

The guide docs/recovery-guide.md says what each state means.`},
			{"PARAMETERS", `channel: channel id, funding outpoint or its txid, or node id of the peer. Without it all channels are shown.`},
		},
	},
	"glrecover-report": {
		summary: "Show the recovery as one page for a browser",
		sections: []section{
			{"DESCRIPTION", `glrecover-report shows the status as one HTML page: what has come back and what was expected, where each channel stands, what it waits for, and the transactions. The page needs no network, and has no secret, invoice or payee in it. It does not update itself.

On a machine where the program glrecover can reach lightningd, glrecover report -o report.html does the same in one step.`},
			{"PARAMETERS", `None.`},
			{"RETURN VALUE", `An object with the page as html.`},
			{"EXAMPLE", `lightning-cli glrecover-report | jq -r .html > report.html`},
		},
	},
	"glrecover-retry": {
		summary: "Try again now instead of at the next planned time",
		sections: []section{
			{"DESCRIPTION", `glrecover-retry makes glrecover look at the chain and contact the peers now.`},
			{"PARAMETERS", `channel: as in glrecover-status. Without it all channels are tried.

override: ask_first imports a channel now although its peer has not closed it yet, with all other channels of that peer: lightningd then connects to the peer itself. Use it only if you cannot wait until the time that glrecover-status gives. If the channel was opened only just before the loss, the peer may forget it, and its coins are then stuck until the peer's operator helps. It needs channel.`},
		},
	},
	"glrecover-sweep": {
		summary: "Show the transactions that claim what lightningd does not, and retry them",
		sections: []section{
			{"DESCRIPTION", `glrecover itself claims what a closed channel owes you and lightningd does not take, with its own transactions: your own commitment's output after its delay, payments that were under way, everything of a revoked commitment, and the outputs of channels that were closed before the import. No command is needed for that.

glrecover-sweep lists these outputs and the transactions that claim them, as hex, and retries at once whatever did not work before. With a preimage it claims a payment that was under way to you.`},
			{"PARAMETERS", `dry_run: true sends nothing, and also makes and shows the transactions that could be sent now. If one of them needs coins of this node's wallet, they are reserved for a moment; and the first time, the wallet is asked for a new address.

preimage: preimage of a payment, 64 hex digits, or an array of them. It is kept in memory only and never logged; but the transaction that uses it makes it public. After a restart of lightningd give it again, unless the transaction is listed.

channel: as in glrecover-status. Without it all channels are shown.`},
			{"RETURN VALUE", `An object with destination (the address to which everything is paid), outputs (with brought_by, standing, spendable_from, deadline_block, and needs: what a claim lacks) and transactions (txid, hex, fee, the outputs that they claim, and whether they were sent). Names of amounts end in _msat, fees in _sat.`},
			{"EXAMPLE", `lightning-cli glrecover-sweep dry_run=true`},
		},
	},
	"glrecover-forget": {
		summary: "Forget the record of a channel that is resolved",
		sections: []section{
			{"DESCRIPTION", `glrecover-forget deletes glrecover's own record of a channel. It changes nothing in lightningd and nothing on the chain. It is refused with output_unclaimed while coins of the channel may still be yours.`},
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
	fmt.Fprintf(&b, ".TH \"LIGHTNING-%s\" \"7\" \"\" \"glrecover\" \"\"\n", roff(strings.ToUpper(name)))
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
