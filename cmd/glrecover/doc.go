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
//	glrecover version
//	glrecover help [COMMAND]
//
// FILE is a signer backup or a dump of vlsd's storage, or - for standard input.
// Flags may stand before or after it. Exit codes:
//
//	0  done, and nothing wrong was found
//	1  refused, or a problem was found (diff: they differ); the text says which
//	2  the command line is wrong
//	3  a file cannot be read, or is no signer backup or secret
//	4  the result could not be written
//
// Errors go to standard error and begin with a stable name (package failure).
//
// The command line only reads files and writes at most the one file that was
// asked for, and never over an existing one; but snapshot replaces a backup that
// is older. It never opens a network connection. Where --node names lightningd's
// socket, it only calls commands that change nothing. It never shows an invoice,
// a payee or a secret; but hsm-secret --show prints the secret that it was asked
// for, at a terminal only. No secret is ever an argument.
package main
