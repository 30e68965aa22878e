// Package tell says to people where a recovery stands: for each channel what is
// so, what it waits for, until when, and what they can do. It is a pure function
// of a snapshot of the core's state.
//
// It decides nothing, asks nobody, and never says that a user need do nothing
// where only he can act.
package tell
