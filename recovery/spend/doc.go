// Package spend sends transactions: a close that is not confirmed, a child that pays for
// it, and sweeps of what is ours to claim. It decides when one is made, by whom it may be
// replaced, and what it may cost; claims makes it.
//
// Our own commitment is never sent (money rule 1). No fee is paid for a close that may be
// in a block, and none that was not announced at an earlier block (money rule 4a).
package spend
