// Package decision names what can be done with a channel: a plan decides it, the
// core carries it out, and people are told it in the same words.
package decision
