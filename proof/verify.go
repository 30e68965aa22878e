package proof

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/cores"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

// Verify checks a backup with a secret. The error is only about the secret
// itself (keychain.ErrWiped); everything else is in the report.
func Verify(b *vlsstate.Backup, secret *keychain.Secret) (*Report, error) {
	id, err := secret.NodeID()
	if err != nil {
		return nil, err
	}
	r := &Report{BackupNode: b.NodeID, SecretNode: id}
	if r.WrongNode() {
		r.Node = Check{Kind: NodeID, Status: Wrong, Text: "the secret belongs to another node"}
		return r, nil
	}
	r.Node = Check{Kind: NodeID, Status: Proven, Text: "the secret belongs to the node in the backup"}
	if r.Entries, err = checkEntries(b, secret); err != nil {
		return nil, err
	}
	r.Channels = make([]ChannelReport, len(b.Channels))
	err = cores.Each(len(b.Channels), func(i int) (err error) {
		ch := b.Channels[i]
		out := ChannelReport{Channel: ch.Key, ID: ch.ID()}
		if slices.Contains(ch.State.Unread, channel.WholeState) {
			out.Checks = []Check{{Kind: HolderCommitment, Status: NotProvable, Text: "the channel's state could not be read"}}
		} else {
			out.Checks, err = checkChannel(ch, secret)
		}
		r.Channels[i] = out
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// checkEntries checks the signature of every entry. A backup without any
// signature was written by a signer that does not sign, or is a dump of vlsd.
func checkEntries(b *vlsstate.Backup, secret *keychain.Secret) ([]Check, error) {
	key, err := secret.StateKey()
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	signed := slices.ContainsFunc(b.Entries, func(e vlsstate.Entry) bool { return e.Signature != nil || e.BadSignature })
	checks := make([]Check, len(b.Entries))
	err = cores.Each(len(b.Entries), func(i int) error {
		e := &b.Entries[i]
		check := Check{Kind: EntrySignature, Entry: e.Key}
		switch {
		case e.BadSignature:
			check.Status, check.Text = Wrong, "there is something else in the place of the signature: the file was damaged or changed"
		case e.Signature == nil && !signed:
			check.Status, check.Text = NotProvable, "no entry of this input is signed"
		case e.Kind() == vlsstate.KindOlder:
			check.Kind, check.Status, check.Text = OlderMark, NotProvable, "marked by glrecover snapshot: the channel is older than the file"
		case e.Signature == nil && e.Kind() == vlsstate.KindPeer && !e.Tombstone():
			check.Kind, check.Status, check.Text = PeerAddress, NotProvable,
				"the signer did not sign this address; glrecover snapshot may have added it. A wrong address costs a connection but no coins, because the peer has to prove its identity"
		case e.Signature == nil:
			check.Status, check.Text = Missing, "this entry has no signature, but others have one"
		case key.Signed(e.Signature, vlsstate.SigningDigest(e)):
			check.Status, check.Text = Proven, "the signer's signature"
		default:
			check.Status, check.Text = Wrong, "the signature is invalid: the entry was changed after the signer wrote it"
		}
		checks[i] = check
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range b.Problems {
		if p.Effect != vlsstate.Noted {
			checks = append(checks, Check{Kind: EntryForm, Status: Wrong, Text: p.Error()})
		}
	}
	return append(checks, checkWatched(b)...), nil
}

// SignatureHolds tells of an entry whether its signature is the signer's. An entry
// that was never signed, as an address that glrecover added, holds.
func SignatureHolds(secret *keychain.Secret) (func(*vlsstate.Entry) bool, error) {
	first, err := secret.StateKey()
	if err != nil {
		return nil, err
	}
	first.Wipe()
	return func(e *vlsstate.Entry) bool {
		if e.Signature == nil {
			return !e.BadSignature
		}
		key, err := secret.StateKey()
		if err != nil {
			return false // wiped meanwhile
		}
		defer key.Wipe()
		return key.Signed(e.Signature, vlsstate.SigningDigest(e))
	}, nil
}

// checkWatched compares the tracker's listeners with the channels. VLS adds a
// listener with the channel's setup and takes it away when it forgets the
// channel (vls-core node.rs setup_channel, prune_channels).
func checkWatched(b *vlsstate.Backup) []Check {
	if len(b.Heights) == 0 {
		return nil
	}
	channels := make(map[wire.OutPoint]bool, len(b.Channels))
	for _, c := range b.Channels {
		channels[c.Funding] = true
	}
	lost := 0
	for funding := range b.Heights {
		if !channels[funding] {
			lost++
		}
	}
	if lost > 0 {
		return []Check{{Kind: WatchedChannels, Status: Missing, Text: fmt.Sprintf(
			"the signer watches %d funding outputs, but the channels of %d of them are not in this backup or cannot be read", len(b.Heights), lost)}}
	}
	return []Check{{Kind: WatchedChannels, Status: Proven, Text: fmt.Sprintf(
		"all %d funding outputs that the signer watches belong to channels in this backup", len(b.Heights))}}
}

func checkChannel(ch *channel.Channel, secret *keychain.Secret) ([]Check, error) {
	keys, err := secret.ChannelKeys(ch.Peer, ch.DBID)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	s := &ch.State
	current, err := checkHolder(ch, keys, HolderCommitment, s.HolderCommit, s.HolderSigs, s.NextHolderCommitNum-1)
	if err != nil {
		return nil, err
	}
	checks := []Check{current}
	if s.NextHolderCommit != nil {
		next, err := checkHolder(ch, keys, NextHolderCommitment, s.NextHolderCommit, s.NextHolderSigs, s.NextHolderCommitNum)
		if err != nil {
			return nil, err
		}
		checks = append(checks, next)
	}
	return append(checks, checkSecrets(s)...), nil
}

// checkHolder rebuilds commitment n of ours and verifies what the counterparty
// signed.
func checkHolder(ch *channel.Channel, keys *keychain.ChannelKeys, kind Kind, c *channel.Commitment, sigs *channel.Signatures, n uint64) (Check, error) {
	if c == nil || sigs == nil {
		if len(ch.State.Unread) > 0 {
			return Check{
				Kind: kind, Status: NotProvable,
				Text: "the part of the backup with our commitment or the peer's signature on it could not be read",
			}, nil
		}
		if kind == HolderCommitment && ch.State.NextHolderCommitNum > 0 && ch.State.NextHolderCommit == nil {
			return Check{Kind: kind, Status: Wrong, Text: fmt.Sprintf("the state counts %d commitments of ours but holds none", n+1)}, nil
		}
		return Check{
			Kind: kind, Status: NotProvable,
			Text: "the backup holds no commitment of ours; the keys can only be compared with the funding output on the chain",
		}, nil
	}
	point, err := keys.PerCommitmentPoint(n)
	if err != nil {
		return Check{}, err
	}
	tx, err := bolt3.BuildCommitment(ch, keys.Basepoints(), c, n, point)
	if err == nil {
		err = tx.VerifySignatures(sigs, ch.Remote.Funding)
	}
	if err != nil {
		return Check{Kind: kind, Status: Wrong, Text: fmt.Sprintf("our commitment %d: %v", n, err)}, nil
	}
	text := fmt.Sprintf("our commitment %d carries the peer's signature", n)
	if htlcs := len(sigs.HTLCs); htlcs > 0 {
		text = fmt.Sprintf("our commitment %d carries the peer's signature, and so do its %d HTLC transactions", n, htlcs)
	}
	return Check{Kind: kind, Status: Proven, Text: text}, nil
}

// checkSecrets checks the counterparty's revealed secrets against one another
// and the last one against the point that is stored for it.
func checkSecrets(s *channel.State) []Check {
	revoked := s.NextCounterpartyRevokeNum
	secrets := Check{Kind: RevocationSecrets}
	switch {
	case revoked == 0 && len(s.Secrets) == 0:
		secrets.Status, secrets.Text = NotProvable, "the peer has revoked nothing in this backup"
		return []Check{secrets}
	case len(s.Secrets) == 0:
		secrets.Status, secrets.Text = NotProvable, "the backup holds no secrets of the peer"
		return []Check{secrets}
	}
	compared, err := bolt3.CheckSecrets(s.Secrets, revoked)
	switch {
	case err != nil:
		secrets.Status, secrets.Text = Wrong, err.Error()
		return []Check{secrets}
	case compared == 0:
		secrets.Status, secrets.Text = NotProvable, fmt.Sprintf("none of the peer's %d stored secrets can be derived from another one yet", len(s.Secrets))
	default:
		secrets.Status, secrets.Text = Proven, fmt.Sprintf("%d of the peer's %d stored secrets can be derived from one another, the others not yet", compared, len(s.Secrets))
		if compared == len(s.Secrets) {
			secrets.Text = fmt.Sprintf("the peer's %d stored secrets can be derived from one another", compared)
		}
	}
	return []Check{secrets, checkLastPoint(s)}
}

// checkLastPoint needs the point of commitment revoked-1, which is stored as
// the previous point unless the peer still has two unrevoked commitments.
func checkLastPoint(s *channel.State) Check {
	last := s.NextCounterpartyRevokeNum - 1
	check := Check{Kind: LastRevokedPoint}
	secret, ok := bolt3.SecretAt(s.Secrets, last)
	switch {
	case s.PrevCounterpartyPoint == nil || s.NextCounterpartyCommitNum != last+2:
		check.Status, check.Text = NotProvable, fmt.Sprintf("the backup holds no point for the peer's commitment %d", last)
	case ok && bolt3.PointOf(secret) == *s.PrevCounterpartyPoint:
		check.Status, check.Text = Proven, fmt.Sprintf("the secret of the peer's commitment %d matches the stored point", last)
	default:
		check.Status, check.Text = Wrong, fmt.Sprintf("the secret of the peer's commitment %d does not match the stored point", last)
	}
	return check
}
