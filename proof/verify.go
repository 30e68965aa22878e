package proof

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
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
		r.Node = Check{Kind: NodeID, Status: Wrong, Text: "the secret makes another node"}
		return r, nil
	}
	r.Node = Check{Kind: NodeID, Status: Proven, Text: "the secret makes the node that the backup names"}
	if r.Entries, err = checkEntries(b, secret); err != nil {
		return nil, err
	}
	lost := lostStates(b)
	for _, ch := range b.Channels {
		if lost[ch.Key] {
			r.Channels = append(r.Channels, ChannelReport{Channel: ch.Key, ID: ch.ID(), Checks: []Check{
				{Kind: HolderCommitment, Status: NotProvable, Text: "the channel's state could not be read"},
			}})
			continue
		}
		checks, err := checkChannel(ch, secret)
		if err != nil {
			return nil, err
		}
		r.Channels = append(r.Channels, ChannelReport{Channel: ch.Key, ID: ch.ID(), Checks: checks})
	}
	return r, nil
}

// lostStates are the channels whose state is empty because it made no sense;
// the entry itself is reported as wrong.
func lostStates(b *vlsstate.Backup) map[channel.Key]bool {
	lost := make(map[channel.Key]bool)
	for _, p := range b.Problems {
		if p.Effect == vlsstate.StateLost && p.Channel != nil {
			lost[*p.Channel] = true
		}
	}
	return lost
}

// checkEntries checks the signature of every entry. A backup without any
// signature was written by a signer that does not sign, or is a dump of vlsd.
func checkEntries(b *vlsstate.Backup, secret *keychain.Secret) ([]Check, error) {
	id, err := secret.StateKey()
	if err != nil {
		return nil, err
	}
	key, err := id.Point()
	if err != nil {
		return nil, err
	}
	signed := slices.ContainsFunc(b.Entries, func(e vlsstate.Entry) bool { return e.Signature != nil || e.BadSignature })
	var checks []Check
	for i := range b.Entries {
		e := &b.Entries[i]
		check := Check{Kind: EntrySignature, Entry: e.Key}
		switch {
		case e.BadSignature:
			check.Status, check.Text = Wrong, "what stands in the place of the signature is none: the file was damaged or changed"
		case e.Signature == nil && !signed:
			check.Status, check.Text = NotProvable, "no entry of this input is signed"
		case e.Signature == nil && e.Kind() == vlsstate.KindPeer && !e.Tombstone():
			check.Kind, check.Status, check.Text = PeerAddress, NotProvable,
				"the signer did not sign this address, as where glrecover snapshot added it; a wrong one costs a connection and no coin, for the peer proves itself"
		case e.Signature == nil:
			check.Status, check.Text = Missing, "this entry has no signature, others have"
		case verifyCompact(e.Signature, vlsstate.SigningDigest(e), key):
			check.Status, check.Text = Proven, "the signer's signature"
		default:
			check.Status, check.Text = Wrong, "the signature does not verify: the entry was changed after the signer wrote it"
		}
		checks = append(checks, check)
	}
	for _, p := range b.Problems {
		if p.Effect != vlsstate.Noted {
			checks = append(checks, Check{Kind: EntryForm, Status: Wrong, Text: p.Error()})
		}
	}
	return append(checks, checkWatched(b)...), nil
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
			"the signer watches %d funding outputs, and the channels of %d of them are not in this backup or cannot be read", len(b.Heights), lost)}}
	}
	return []Check{{Kind: WatchedChannels, Status: Proven, Text: fmt.Sprintf(
		"all %d funding outputs that the signer watches are of channels in this backup", len(b.Heights))}}
}

// verifyCompact checks r || s. As in libsecp256k1, a high s is no signature.
func verifyCompact(sig []byte, digest [32]byte, key *btcec.PublicKey) bool {
	if len(sig) != vlsstate.SignatureSize {
		return false
	}
	var r, s btcec.ModNScalar
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || r.IsZero() || s.IsZero() || s.IsOverHalfOrder() {
		return false
	}
	return ecdsa.NewSignature(&r, &s).Verify(digest[:], key)
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
		if kind == HolderCommitment && ch.State.NextHolderCommitNum > 0 && ch.State.NextHolderCommit == nil {
			return Check{Kind: kind, Status: Wrong, Text: fmt.Sprintf("the state counts %d commitments of ours and holds none", n+1)}, nil
		}
		return Check{
			Kind: kind, Status: NotProvable,
			Text: "the snapshot holds no commitment of ours; the keys can only be compared with the funding output on the chain",
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
		secrets.Status, secrets.Text = NotProvable, "the peer has revoked nothing in this snapshot"
		return []Check{secrets}
	case len(s.Secrets) == 0:
		secrets.Status, secrets.Text = NotProvable, "the snapshot holds no secrets of the peer"
		return []Check{secrets}
	}
	compared, err := bolt3.CheckSecrets(s.Secrets, revoked)
	switch {
	case err != nil:
		secrets.Status, secrets.Text = Wrong, err.Error()
		return []Check{secrets}
	case compared == 0:
		secrets.Status, secrets.Text = NotProvable, fmt.Sprintf("none of the %d stored secrets of the peer follows from another yet", len(s.Secrets))
	default:
		secrets.Status, secrets.Text = Proven, fmt.Sprintf("%d of the %d stored secrets of the peer follow from one another, the others stand alone yet", compared, len(s.Secrets))
		if compared == len(s.Secrets) {
			secrets.Text = fmt.Sprintf("the %d stored secrets of the peer follow from one another", compared)
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
		check.Status, check.Text = NotProvable, fmt.Sprintf("the snapshot holds no point of the peer's commitment %d", last)
	case ok && bolt3.PointOf(secret) == *s.PrevCounterpartyPoint:
		check.Status, check.Text = Proven, fmt.Sprintf("the secret of the peer's commitment %d makes the stored point", last)
	default:
		check.Status, check.Text = Wrong, fmt.Sprintf("the secret of the peer's commitment %d does not make the stored point", last)
	}
	return check
}
