// Package scbconv encodes and decodes static channel backup entries, the
// strings that CLN's recoverchannel takes and its staticbackup gives (CLN
// common/scb_wire.csv, modern_scb_chan), and makes them from the description
// of a channel in two forms: the one that glrecover sends to lightningd (From)
// and the one that Greenlight's own converter writes (Greenlight).
//
// The decoder is canonical: what it accepts, it encodes again to the same
// bytes. Trailing bytes, unknown or unordered TLV records, lengths that are not
// minimal, points off the curve and addresses that nobody can dial are errors.
//
// The package never reads a file, never talks to a node or a peer, never
// resolves a name, knows nothing of the JSON of a signer backup (vlsstate), and
// holds no key of ours. Its errors never echo what was in the input, with one
// exception: a Refusal repeats Greenlight's own text.
package scbconv
