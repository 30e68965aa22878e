// Package vlsstate is the only package that knows the JSON of a VLS signer's
// state: the backup file (version 1) that the Greenlight signer writes, and
// the text that vlsd prints with --dump-storage or --dump-lss. It reads them
// into channel.Channel values, writes them again byte for byte, merges and
// compares them, and decides when a signer would write the next one.
//
// Reading is strict and never all or nothing: a whole file is refused with a
// *failure.Error that says what it is instead; one bad entry becomes one
// *EntryError in Backup.Problems, and the others are read. Numbers are exact
// 64-bit integers; no float touches them. Sources: gl-client 0.7.0
// (signer/backup.rs, persist.rs), vls-persist 0.14 (model.rs), vls-core 0.14
// (channel.rs, policy/validator.rs).
//
// The package NEVER echoes file content in an error, never shows an invoice, a
// payee or a preimage, never touches a key of ours, never asks the chain or a
// node, and never writes over a newer state unless told to.
package vlsstate
