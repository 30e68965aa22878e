// Package rescue recovers a node without lightningd: the loop of package recovery
// with another node behind it, which has nothing but the lost node's id, another
// store, which is a directory (the journal), and another wallet, which is the user's
// address.
//
// It has no engine of its own: what is asked, watched and swept, and in which order,
// recovery/core decides, as in the plugin. It prints nothing: who calls it gets
// events. No secret is in the journal.
package rescue
