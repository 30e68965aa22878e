// Package plugin is glrecover as lightningd sees it: options, RPC methods with
// their parameters and manual, hooks, notifications, and the log. Main runs it.
//
// It holds no domain logic: what a method does, whether a channel may be opened
// and what a block means is the Service's to decide. The plugin parses, asks,
// and answers in time. It reads no file, calls no method of lightningd, and
// never logs a parameter.
package plugin
