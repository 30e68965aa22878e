// Package stubs gives channels to lightningd, which makes a stub of each
// (recoverchannel): lightningd's wallet takes what the close pays only if the stub was
// there before. It also holds them back where lightningd must not meet the peer before our
// own session has asked for the close (money rule 4b).
package stubs
