// Package integration holds the scenarios: one test for each story that a
// user lives through, on real daemons (package harness).
//
// What a user would type is typed: glrecover's methods run through the real
// lightning-cli (harness.CLN's CLI and Type), other calls over the RPC socket.
//
// It NEVER mocks a daemon. A scenario whose programs are not at hand is left
// out with one line that says so; GLRECOVER_REQUIRE turns that into a failure.
// Backups are written by the genuine Greenlight signer (glsigner/), or read
// from a test node's database by package synthetic, and then the test's name
// says "synthetic".
//
// Go runs parallel tests from the last file to the first: what takes minutes is in
// watch_test.go, so that it does not come last.
package integration
