// Package follow keeps up with the chain: it has the Watcher watch the funding output of
// each channel and the outputs of its close, has each close classified, looks where its
// outputs are, and derives the channel's state from that.
//
// What is known of a transaction's place comes from the Watcher alone. The state of a
// closed channel follows from the chain and the wallet, and from nothing that was before:
// a reorganisation leads back by itself.
package follow
