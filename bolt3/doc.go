// Package bolt3 builds what BOLT 3 describes: the scripts and keys of a
// channel, whole commitment transactions from the values that a signer backup
// stores, the HTLC transactions that spend them, and the checks of the
// counterparty's signatures on both.
//
// Everything in it is a pure function of its arguments. It never signs, never
// reads a file, a chain or a clock, never decides whether a transaction should
// be published, and never applies a fee or a dust limit: a channel.Commitment
// holds final output values.
package bolt3
