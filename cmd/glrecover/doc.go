// Glrecover recovers the channels of a lost Greenlight node from its signer
// backup. Started by lightningd it is a plugin; started by hand it is a command
// line that needs no node:
//
//	glrecover inspect FILE    what a signer backup holds and what it proves
//	glrecover convert FILE    the static channel backup entries, for recoverchannel
//	glrecover verify FILE     prove with the secret that a backup is your node's
//	glrecover hsm-secret FILE make the node's hsm_secret from its twelve words
//	glrecover snapshot        write a backup from backups and dumps of vlsd
//	glrecover diff A B        what changed between two backups, which one is newer
//	glrecover check FILE      rehearse the loss of the node; for cron
//	glrecover sweep FILE      claim outputs of closed channels without a node
//	glrecover doctor BACKUP   what a recovery needs on this machine, and lacks
//	glrecover status          how far a running recovery is; asks the plugin
//	glrecover report          the same as a page for a browser
//	glrecover rescue [BACKUP] --to ADDRESS
//	                          bring the lost node's coins home without lightningd
//	glrecover find FILE       where the coins are, by bitcoind; no lightningd needed
//	glrecover version
//	glrecover help [COMMAND]
//
// FILE is a signer backup or a dump of vlsd's storage, or - for standard input.
// Flags may stand before or after it. Exit codes:
//
//	0  done, and nothing wrong was found
//	1  refused, or a problem was found (diff: they differ); the text says which
//	2  the command line is wrong
//	3  a file cannot be read, or is not a signer backup or secret
//	4  the result could not be written
//	130  rescue was ended by Ctrl-C
//
// Errors go to standard error and begin with a stable name (package failure).
//
// The command line only reads files and writes at most the one file that was
// asked for, and never over an existing one; but snapshot replaces a backup that
// is older. It opens no network connection but to a bitcoind that find or sweep was
// told of; there sweep sends transactions only with --broadcast. rescue is apart: it
// asks the Bitcoin network, bitcoind or an Esplora server for the chain; with
// --decommissioned it keeps a journal, asks the lost node's peers to close, and sends
// what claims the coins. Where --node names
// lightningd's socket, it only calls commands that change nothing. It never shows
// an invoice, a payee or a secret; but hsm-secret --show prints the secret that it
// was asked for, at a terminal only. No secret is ever an argument.
package main
