// Package compose plays the story of a lost node on daemons that run in
// containers of their own: docker/compose.yaml starts them, and the node that
// is lost starts through docker/node.sh.
//
// It NEVER starts or ends a process: the node is lost by a marker file and an
// RPC call, and the container comes back by itself.
package compose
