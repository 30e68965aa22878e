// Package keychain is the only home of secrets. It reads a node's secret in
// every form in which a user may hold it (lightningd's hsm_secret files, vlsd's
// node.seed, the twelve words of Greenlight, the forms of lightningd
// --recover), derives the keys of node, channels and wallet as CLN and VLS do,
// and signs with them.
//
// A secret never leaves it but by a method whose name says so (WriteFile,
// Reveal). No secret is printed, logged, marshalled or put into an error:
// errors name lengths and positions, never content. Every secret has Wipe, and
// the buffers on the way are cleared; Go's runtime may still hold copies, so
// wiping narrows the window and promises nothing. The package never talks to a
// network, a terminal or a node.
package keychain
