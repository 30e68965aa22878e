// Package api holds the types that the plugin and the recovery hand to each
// other: parameters, what the node says of itself, its channels and its wallet,
// progress. They are leaf types.
//
// It never acts: it opens no file, calls no node, and holds neither domain
// logic nor JSON-RPC. It carries no secret: the path of one at most.
package api
