// Package claims decides, output by output, who owns what a close pays and
// where it is now: in the wallet, spent by the wallet, claimed by a sweep of
// ours, taken by somebody else, or still to come and from whom (money rules 6
// and 6a). It also makes the child that pays for a stuck close through our
// anchor (money rule 4a).
//
// Who owns an output is decided in one place: lightningd's wallet takes
// to_remote where a live stub was there when the close confirmed; where none was,
// or where 144 blocks later it still has not, it is for a sweep of ours.
//
// It never broadcasts, keeps no state, and asks nobody but the wallet that a
// child is paid from.
package claims
