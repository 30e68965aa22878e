// Package calls carries out what the user says: a plan, with its overrides, another try,
// and the end of a record.
package calls
