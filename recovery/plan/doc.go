// Package plan says what can be done with a signer backup that passes the gates: which
// channels there are besides the backup's (copies, and what peers speak of), what the
// chain says of each funding output (evidence), and what follows for each channel
// (decision). The real run carries a plan out; the dry run and glrecover check show
// it, so that they cannot disagree.
//
// It has no effects. Of lightningd it asks only what an onlooker may ask, of
// the chain only what is there; it never speaks to a peer (what a peer said is
// handed to it), never writes a record, never signs, and never keeps a secret.
package plan
