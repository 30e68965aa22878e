// Package answer says what glrecover and glrecover-inspect answer: what a plan decided
// for each channel, what became of it, and what the user is to do next, in order.
package answer
