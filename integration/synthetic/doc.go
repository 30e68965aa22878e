// Package synthetic writes a backup in the format of the Greenlight signer
// from the database of a test node that runs with lightningd's own hsmd. It
// stands in where the genuine signer is not at hand; whatever is shown with it
// is labelled "synthetic".
//
// It NEVER goes through the product's code: format and numbers are written
// here a second time, from the database's own schema (CLN wallet/migrations.c)
// and genuine files. It writes what the database holds; pending HTLCs and fee
// updates are refused, entries carry no signatures, and it is of no use for a
// node that anybody needs.
package synthetic
