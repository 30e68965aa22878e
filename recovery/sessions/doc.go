// Package sessions says which peer is spoken to next, and draws the consequences of what
// it said: first the sessions that only read its channel_reestablish, then those that ask
// it to close. Package closing holds them.
//
// No peer is asked while something speaks of a hosted node that is alive, and none to
// close a channel of which it stands behind the backup (money rules 2 and 5).
package sessions
