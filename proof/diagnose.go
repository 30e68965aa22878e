package proof

import (
	"context"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

// Diagnosis is the data of the failure that Diagnose returns.
type Diagnosis struct {
	BackupNode channel.PubKey `json:"backup_node_id"`
	// SecretNode is null where nobody knows which node the source makes.
	SecretNode *channel.PubKey  `json:"secret_node_id"`
	Mistake    keychain.Mistake `json:"mistake"`
	// Certain is true where undoing the mistake gives the backup's node.
	Certain bool `json:"certain"`
}

// Diagnose explains why a source of a secret does not make the node want: a
// failure wrong_node that names the likely mistake. made is the node that it
// makes, nil where it could not be understood and nobody else knows. It may take
// some seconds; ctx ends the search.
func Diagnose(ctx context.Context, want channel.PubKey, source *keychain.Source, made *channel.PubKey) *failure.Error {
	data := Diagnosis{BackupNode: want, SecretNode: made}
	found := "the secret is not valid"
	if made != nil {
		found = "the secret makes the node " + made.String() + ", the backup is of " + want.String()
	}
	d := source.Diagnose(ctx, want)
	data.Mistake, data.Certain = d.Mistake, d.Certain
	if d.Certain {
		found += ": " + d.Found
	} else {
		found += "; " + d.Found
	}
	return failure.New(failure.WrongNode, d.Do, "%s", found).With(data)
}

// NodeIDMistake is the mistake where the secret is right and the backup's field
// node_id is not.
const NodeIDMistake keychain.Mistake = "backup_node_id"

// DamagedNodeID is the failure wrong_node where the node that a secret makes is
// the one that the backup's entries are of, and only the field node_id, which
// nobody signs, names another: else nil. Nobody with the right words may be told
// that they are wrong.
func DamagedNodeID(b *vlsstate.Backup, made channel.PubKey) *failure.Error {
	if made == b.NodeID || b.Entries.Get(string(vlsstate.KindNode)+"/"+made.String()) == nil {
		return nil
	}
	return failure.New(failure.WrongNode, "Use another copy of the backup",
		"the secret is right, the file is damaged: its field node_id gives the node %s, but its entries belong to %s, and so does the secret", b.NodeID, made).
		With(Diagnosis{BackupNode: b.NodeID, SecretNode: &made, Mistake: NodeIDMistake, Certain: true})
}

// WalletWarning is what a user of lightningd must know whose hsm_secret holds
// words: it makes the same node, but not the same on-chain wallet.
const WalletWarning = "this hsm_secret holds words: node and channels are the right ones, but lightningd makes a different on-chain wallet from it, which sees neither the old node's coins nor payments to its old addresses. To see everything, start a node in a fresh directory with the 32-byte file that glrecover hsm-secret writes"

// Warnings lists what the user must know about an otherwise right secret.
func Warnings(secret *keychain.Secret) []string {
	if secret.WholeWallet() {
		return nil
	}
	return []string{WalletWarning}
}
