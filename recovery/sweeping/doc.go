// Package sweeping carries out what the core asks about closes, and returns it as an
// event: what a close is and what it takes to claim its outputs, and the signed
// transactions that claim them, or that pay for a stuck close. It sends none.
//
// What the record must not hold, the peers' revealed secrets and preimages, it has in
// memory (Known).
package sweeping
