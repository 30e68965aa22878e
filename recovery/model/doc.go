// Package model has the data of a recovery: the states of a channel, what is kept on
// record, the events that the core takes and the effects that it answers with.
//
// It decides nothing: what leads from one state to another is core's. The core, the
// loop, the sessions, the record and what is told to people share these types.
package model
