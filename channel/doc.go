// Package channel is the leaf that every other package may import: the typed
// description of one Lightning channel as a VLS signer knows it, and the small
// value types (public key, outpoint, side) that it is made of.
//
// It holds facts, never behaviour that touches the world: it reads no file,
// knows neither the JSON of a signer backup (vlsstate) nor the bytes of a
// static channel backup (scbconv), holds no private key, and logs nothing. The
// only secrets in it are the counterparty's revoked per-commitment secrets,
// which the counterparty gave us and which only serve to punish it.
package channel
