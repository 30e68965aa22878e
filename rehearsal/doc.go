// Package rehearsal says what a signer backup would bring back if the node were
// lost today: whether each channel can be recovered and its peer be found,
// whether the secret is the right one, what the backup cannot know, and, next to
// a running node, what that node knows more.
//
// It is pure: facts go in, a Report comes out. It never opens a file, a socket
// or a connection, never asks a chain or a peer, never changes a backup, and
// never tells a secret, an invoice or a payment hash. A good report is about
// the backup and this moment; it promises nothing about the peers.
package rehearsal
