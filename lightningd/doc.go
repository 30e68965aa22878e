// Package lightningd is the only way to Core Lightning: Client calls its
// JSON-RPC with typed requests and answers, and Plugin.Serve lets lightningd
// call us.
//
// Serving goes through glightning (jrpc2 registry, dispatch, option values),
// but glightning never sees lightningd's own bytes. Its parser splits messages
// at blank lines, turns 2^64-1 into a float, panics on null, hides the request
// id and answers every error with code -1. So a framer of ours reads the
// stream, keeps id and raw parameters of each request, hands glightning a short
// handle through a pipe, and puts the kept id, the real error code and data on
// the answer. Handlers parse the raw parameters strictly (ParseParams).
//
// Calling uses glightning's request encoding but a connection of its own for
// each call: glightning's client ends the process when a dial fails, panics
// when the connection closes under a request, cannot be cancelled, and reads
// its own shutdown flag in a data race.
//
// The package holds no domain logic, never retries a request that was sent,
// never prints, and never puts parameters or answers into a log or an error.
package lightningd
