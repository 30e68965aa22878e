// Package onchain says what a transaction that spends a channel's funding
// output is (a mutual close, our commitment, the peer's, a revoked one, a
// splice) and what each of its outputs is: whose, of which value, claimable by
// whom, how and from when.
//
// It judges by evidence: the outputs that our public keys and the points in the
// backup can name. The commitment number hidden in the transaction says where
// to look, never alone what was found, and each result says which evidence it
// rests on.
//
// Everything in it is a pure function of public data. It never asks a chain or
// a clock, holds no private key, signs nothing, and does not decide what is to
// be done about a close.
package onchain
