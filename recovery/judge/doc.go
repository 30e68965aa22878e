// Package judge says what can be known for certain about a channel's end: what a
// transaction that spends its funding output is, which outputs are ours, and who
// takes them (Close); which of this node's channels a close or a peer speaks of,
// where no backup describes it (Identify, DBIDOf); and what the numbers of a
// channel_reestablish prove about the backup's age and about the lost node
// (CompareReestablish, Moved).
//
// Everything here is computed from what is handed in. Nobody is asked, and nothing
// is decided.
package judge
