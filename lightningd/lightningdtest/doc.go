// Package lightningdtest has two stand-ins for lightningd. Socket answers the
// calls of a lightningd.Client with scripted results and fails the test on any
// other method: so a test proves which methods a command may use. Node starts
// and drives a plugin the way lightningd does.
//
// It is for tests only, keeps no state of a real node, and never reaches one.
package lightningdtest
