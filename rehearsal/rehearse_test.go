package rehearsal

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

func find(r *Report, n Name) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Name == n {
			return &r.Findings[i]
		}
	}
	return nil
}

// Each row changes one thing about a genuine case and names what must be found.
// Level "" means that nothing of that name may be found.
func TestOneThingIsWrong(t *testing.T) {
	periodic := func(n uint32) vlsstate.Strategy { return vlsstate.Strategy{Kind: vlsstate.Periodic, Updates: n} }
	mainnet := func(in *Input) { in.Node.Network = "bitcoin" }
	node := func(change func(n *Node)) func(*Input) { return func(in *Input) { change(in.Node) } }
	ch := func(change func(c *channel.Channel)) func(*Input) {
		return func(in *Input) { change(in.Backup.Channels[0]) }
	}
	peer := func(change func(p *vlsstate.Peer)) func(*Input) {
		return func(in *Input) {
			id := in.Backup.Channels[0].Peer
			p := in.Backup.Peers[id]
			change(&p)
			in.Backup.Peers[id] = p
		}
	}
	for _, c := range []struct {
		what, from string
		change     func(*Input)
		name       Name
		level      Level
		good       bool
		text       string
	}{
		{"nothing", "used-both-ways", func(*Input) {}, "", "", true, ""},
		{"the backup is young enough", "used-both-ways", func(in *Input) { in.MaxAge = 24 * time.Hour }, TooOld, "", true, ""},
		{"the backup is old", "used-both-ways", func(in *Input) { in.MaxAge = time.Hour }, TooOld, Problem, false, "older than 1h0m0s"},
		{"the backup is old by days", "used-both-ways", func(in *Input) { in.Now, in.MaxAge = now.AddDate(0, 0, 9), 7*24*time.Hour }, TooOld, Problem, false, "older than 7 days"},
		{"the backup is of tomorrow", "used-both-ways", func(in *Input) { in.Now = now.AddDate(0, 0, -1) }, DateInFuture, Problem, false, "in the future"},
		{"a clock is a little off", "used-both-ways", func(in *Input) { in.Now = in.Backup.CreatedAt.Add(-time.Minute) }, DateInFuture, "", true, ""},
		{"a dump has no date", "used-both-ways", func(in *Input) { in.Backup.CreatedAt = time.Time{} }, AgeUnknown, Note, true, ""},
		{"a dump has no date, and one is demanded", "used-both-ways", func(in *Input) { in.Backup.CreatedAt, in.MaxAge = time.Time{}, time.Hour }, AgeUnknown, Problem, false, ""},

		{"no entry of the peer", "used-both-ways", func(in *Input) { clear(in.Backup.Peers) }, AddressUnknown, Problem, false, "no address"},
		{"an empty address", "used-both-ways", peer(func(p *vlsstate.Peer) { p.Addr = "" }), AddressUnknown, Problem, false, "no address"},
		{"an inbound address", "used-both-ways", peer(func(p *vlsstate.Peer) { p.Direction = vlsstate.In }), AddressInbound, Problem, false, "connected from"},
		{"an address without port", "used-both-ways", peer(func(p *vlsstate.Peer) { p.Addr = "peer.example" }), AddressUnreadable, Problem, false, "not usable"},
		{"gossip has the address", "used-both-ways", func(in *Input) {
			clear(in.Backup.Peers)
			addr, _ := scbconv.ParseAddress("peer.example:9735")
			in.Node.Gossip = map[channel.PubKey][]scbconv.Address{in.Backup.Channels[0].Peer: {addr}}
		}, AddressFromGossip, Note, true, "fresh node may not"},
		{"no address, but all closed", "used-both-ways", func(in *Input) {
			clear(in.Backup.Peers)
			in.Backup.Channels[0].State.Closed = true
		}, AddressUnknown, "", true, ""},

		{"another commitment format", "used-both-ways", ch(func(c *channel.Channel) { c.Type = channel.Legacy }), NotRecoverable, Problem, false, "would be lost"},
		{"a dbid that lightningd cuts off", "used-both-ways", ch(func(c *channel.Channel) { c.DBID = 1 << 31 }), NotRecoverable, Problem, false, "would be lost"},
		{"the signer says closed", "used-both-ways", ch(func(c *channel.Channel) { c.State.Closed = true }), SignerClosed, Note, true, "Only the chain"},
		{"the node closes it by its own commitment", "used-both-ways", func(in *Input) {
			in.Backup.Channels[0].State.Closed, in.Node.Channels[0].State = true, "ONCHAIN"
		}, SignerClosed, Loss, true, "your share (673,960 sat) still waits"},
		{"no channel", "used-both-ways", func(in *Input) { in.Backup.Channels, in.Node = nil, nil }, NotRecoverable, Note, true, "no channel"},
		{"a state that cannot be read", "used-both-ways", func(in *Input) {
			in.Backup.Problems = []*vlsstate.EntryError{{Kind: vlsstate.KindChannel, Position: 3, Reason: "not a number", Effect: vlsstate.StateLost}}
		}, EntryUnreadable, Problem, false, "not a number"},
		{"a remark about the file", "used-both-ways", func(in *Input) {
			in.Backup.Problems = []*vlsstate.EntryError{{Kind: vlsstate.KindUnknown, Position: 3, Reason: "ignored", Effect: vlsstate.Noted}}
		}, EntryUnreadable, Note, true, "ignored"},
		{"an opening", "used-both-ways", func(in *Input) { in.Backup.Openings = make([]vlsstate.Opening, 1) }, OpeningOnly, Note, true, "1 entry is"},

		{"payments are pending", "htlc-in-flight", func(*Input) {}, HTLCsPending, Loss, true, "3 payments were pending: 43,000 sat out and 25,000 sat in"},
		{"no payment is pending", "used-both-ways", func(*Input) {}, HTLCsPending, "", true, ""},
		{"a secret is missing", "used-both-ways", ch(func(c *channel.Channel) { c.State.Secrets = c.State.Secrets[1:] }), SecretsMissing, Loss, true, "revoked 26 states"},
		{"no storage for secrets", "used-both-ways", ch(func(c *channel.Channel) { c.State.Secrets, c.State.NoSecretStorage = nil, true }), SecretsMissing, Loss, true, "cannot be punished"},
		{"nothing is revoked", "fresh-outbound", func(*Input) {}, SecretsMissing, "", true, ""},

		{"the default strategy", "fresh-outbound", func(*Input) {}, NewChannelsOnly, Loss, true, "written only when a channel is opened"},
		{"the default strategy, and the node shows no use", "fresh-outbound", func(*Input) {}, BirthSnapshot, "", true, ""},
		{"the default strategy, and no node", "fresh-outbound", func(in *Input) { in.Node = nil }, BirthSnapshot, Loss, true, "has only the opening"},
		{"a periodic backup of a young channel", "fresh-outbound", func(in *Input) { in.Node, in.Backup.Strategy = nil, periodic(1) }, BirthSnapshot, "", true, ""},

		{"another node runs", "used-both-ways", node(func(n *Node) { n.ID = n.Channels[0].Peer }), AnotherNode, Problem, false, "nothing was compared"},
		{"another network", "used-both-ways", mainnet, AnotherNetwork, Problem, false, "another network"},
		{"the node does not answer", "used-both-ways", func(in *Input) { in.Node, in.NodeError = nil, errors.New("no answer") }, NodeUnreachable, Problem, false, "no answer"},
		{"the node has one channel more", "three-peers", func(in *Input) { in.Backup.Channels = in.Backup.Channels[1:] }, NotInBackup, Problem, false, "not in the backup and would be lost with your share of 5"},
		{"an opening of the node", "used-both-ways", node(func(n *Node) {
			n.Channels = append(n.Channels, lightningd.PeerChannel{Peer: n.Channels[0].Peer, State: "OPENINGD"})
		}), NotInBackup, "", true, ""},
		{"the backup is behind under the default strategy", "stale", func(*Input) {}, Behind, Loss, true, "revoked 40 states since"},
		{"the backup is behind within its strategy", "stale", func(in *Input) { in.Backup.Strategy = periodic(40) }, Behind, Loss, true, "revoked 40 states since"},
		{"the backup is behind its strategy", "stale", func(in *Input) { in.Backup.Strategy = periodic(39) }, Behind, Problem, false, "revoked 40 states since"},
		{"a backup of one's own is behind", "stale", func(in *Input) { in.Backup.Strategy.Kind = vlsstate.Never }, Behind, Problem, false, "revoked 40 states since"},
		{"a merge is behind", "stale", func(in *Input) { in.Backup.Source = vlsstate.FromMerge }, Behind, Problem, false, "revoked 40 states since"},
		{"the node is behind", "used-both-ways", ch(func(c *channel.Channel) { c.State.NextCounterpartyRevokeNum = 27 }), NodeBehind, Problem, false, "node knows of 26 revoked states of the peer, the backup of 27"},
		{"the node lost state", "used-both-ways", node(func(n *Node) { n.Channels[0].LostState = true }), NodeLostState, Problem, false, "lost its state"},
		{"the node shows no numbers", "used-both-ways", node(func(n *Node) { n.SCBs = nil }), NumbersUnknown, Note, true, "does not report the commitment numbers"},
		{"an SCB of an older release", "used-both-ways", node(func(n *Node) { n.SCBs[0].TLVs = nil }), NumbersUnknown, Note, true, "does not report the commitment numbers"},
		{"a splice", "used-both-ways", node(func(n *Node) { n.Channels[0].FundingOutnum++ }), FundingChanged, Problem, false, "spliced"},
		{"a payment since", "htlc-in-flight", node(func(n *Node) { n.Channels[0].HTLCs[0].Expiry++ }), HTLCsUnknown, Loss, true, "1 payment is, 25,000 sat, pending in the running node and not in the backup"},
		{"a payment that ends", "htlc-in-flight", node(func(n *Node) {
			n.Channels[0].HTLCs[0].Expiry++
			n.Channels[0].HTLCs[0].State = "SENT_REMOVE_HTLC"
		}), HTLCsUnknown, "", true, ""},
		{"a payment too small for an output", "htlc-in-flight", node(func(n *Node) {
			n.Channels[0].HTLCs[0].Expiry++
			n.Channels[0].HTLCs[0].LocalTrimmed = true
		}), HTLCsUnknown, "", true, ""},
		{"two payments alike, of which one is known", "htlc-in-flight", node(func(n *Node) {
			n.Channels[0].HTLCs = append(n.Channels[0].HTLCs, n.Channels[0].HTLCs[2])
		}), HTLCsUnknown, Loss, true, "1 payment is, 40,000 sat"},
		{"the node closed it", "used-both-ways", func(in *Input) {
			in.Node.Channels, in.Node.Closed = nil, []channel.ID{in.Backup.Channels[0].ID()}
		}, ClosedByNode, Note, true, "nothing to recover"},
		{"the node never heard of it", "used-both-ways", node(func(n *Node) { n.Channels = nil }), UnknownToNode, Note, true, "does not know"},
		{"the node recovers", "used-both-ways", node(func(n *Node) { n.Channels[0].ShortChannelID = stubID }), NodeRecovers, Note, true, "1 channel is"},
		{"a stub is no channel that the node lacks", "used-both-ways", node(func(n *Node) { n.Channels[0].ShortChannelID = stubID }), UnknownToNode, "", true, ""},
		{"our commitment moves", "used-both-ways", func(in *Input) {
			in.Node.Channels[0].ScratchTxid = strings.Repeat("ab", 32)
			in.Commitments = Commitments{in.Backup.Channels[0].Key: {strings.Repeat("cd", 32)}}
		}, InMotion, Note, true, "a payment is under way"},
		{"a mutual close is no commitment", "used-both-ways", func(in *Input) {
			in.Node.Channels[0].ScratchTxid, in.Node.Channels[0].State = strings.Repeat("ab", 32), "CLOSINGD_COMPLETE"
			in.Commitments = Commitments{in.Backup.Channels[0].Key: {strings.Repeat("cd", 32)}}
		}, InMotion, "", true, ""},
		{"our commitment is another, and there are no numbers", "used-both-ways", func(in *Input) {
			in.Node.Channels[0].ScratchTxid, in.Node.SCBs = strings.Repeat("ab", 32), nil
			in.Commitments = Commitments{in.Backup.Channels[0].Key: {strings.Repeat("cd", 32)}}
			in.Backup.Strategy.Kind = vlsstate.Never
		}, Behind, Problem, false, "commitment is not the one"},
	} {
		t.Run(c.what, func(t *testing.T) {
			in := Input{Backup: backupOf(t, c.from), Now: now, Node: nodeOf(t, c.from, "node.json")}
			c.change(&in)
			r := Rehearse(in)
			f := find(r, c.name)
			switch {
			case c.level == "" && f != nil:
				t.Errorf("found %+v", f)
			case c.level != "" && f == nil:
				t.Errorf("not found among %+v", r.Findings)
			case f != nil && (f.Level != c.level || !strings.Contains(f.Text, c.text)):
				t.Errorf("%+v", f)
			}
			if r.Good != c.good || r.Good != (r.Count(Problem) == 0) {
				t.Errorf("good is %v: %+v", r.Good, r.Findings)
			}
		})
	}
}

func TestTheWrongSecretIsAProblemAndNothingElseIsConcludedFromIt(t *testing.T) {
	in := Input{Backup: backupOf(t, "used-both-ways"), Now: now}
	r := Rehearse(withSecret(t, in, "stale"))
	if f := find(r, SecretOfAnotherNode); f == nil || f.Level != Problem || r.Good || r.Secret.ThisNode {
		t.Errorf("%+v", r.Findings)
	}
	if find(r, NotProven) != nil || r.Channels[0].Keys != "" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestWhatTheSecretRefutesIsAProblem(t *testing.T) {
	for what, damage := range map[string]func(b *vlsstate.Backup){
		"1 signature is not the signer's": func(b *vlsstate.Backup) { b.Entries.Get("nodes/"+b.NodeID.String()).Version++ },
		"1 entry has no signature":        func(b *vlsstate.Backup) { b.Entries.Get("nodes/" + b.NodeID.String()).Signature = nil },
		"our commitment":                  func(b *vlsstate.Backup) { b.Channels[0].State.HolderCommit.ToBroadcasterSat-- },
		"the signer watches 1 funding":    func(b *vlsstate.Backup) { b.Channels = nil },
	} {
		in := Input{Backup: backupOf(t, "used-both-ways"), Now: now}
		damage(in.Backup)
		r := Rehearse(withSecret(t, in, "used-both-ways"))
		if f := find(r, NotProven); f == nil || f.Level != Problem || !strings.Contains(f.Text, what) || r.Good {
			t.Errorf("%s: %+v", what, r.Findings)
		}
	}
}

// glrecover snapshot adds addresses, which it cannot sign.
func TestAnAddressThatSnapshotAddedIsNoProblem(t *testing.T) {
	in := Input{Backup: backupOf(t, "inbound-used"), Now: now}
	err := in.Backup.SetPeer(in.Backup.Channels[0].Peer, vlsstate.Peer{Addr: "peer.example:9735", Direction: vlsstate.Out})
	if err != nil {
		t.Fatal(err)
	}
	r := Rehearse(withSecret(t, in, "inbound-used"))
	if f := find(r, UnsignedAddress); f == nil || f.Level != Note || !r.Good || r.Secret.Missing != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestTheWorstComesFirstAndEachPeerOnce(t *testing.T) {
	in := Input{Backup: backupOf(t, "three-peers"), Now: now}
	clear(in.Backup.Peers)
	r := Rehearse(in)
	var peers []string
	for i, f := range r.Findings {
		if f.Name == AddressUnknown {
			peers = append(peers, f.PeerID.String())
		}
		if i > 0 && slices.Index(levels, r.Findings[i-1].Level) > slices.Index(levels, f.Level) {
			t.Errorf("finding %d is worse than the one before", i)
		}
	}
	if len(peers) != 4 || len(slices.Compact(slices.Sorted(slices.Values(peers)))) != 4 {
		t.Errorf("%v", peers)
	}
}

func TestTheTotalsLeaveOutWhatIsClosed(t *testing.T) {
	r := Rehearse(Input{Backup: backupOf(t, "closed-one"), Now: now})
	want := Totals{Channels: 1, Closed: 1, Recoverable: 1, LastKnownShareMsat: 795930000, RecoverableShareMsat: 795930000}
	want.CapacityMsat = r.Totals.CapacityMsat
	if r.Totals != want || r.Totals.CapacityMsat == 0 {
		t.Errorf("%+v", r.Totals)
	}
	r = Rehearse(Input{Backup: backupOf(t, "three-peers"), Now: now})
	if r.Totals.NoAddress != 2 || r.Totals.NoAddressShareMsat != (120003+297930)*1000 || r.Totals.Recoverable != 5 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestTotalsDoNotWrapAround(t *testing.T) {
	in := Input{Backup: backupOf(t, "fresh-outbound"), Now: now}
	first := in.Backup.Channels[0]
	for i := range 12 {
		c := *first
		c.DBID, c.CapacitySat, c.State.InitialHolderValueSat = uint64(i+10), 21e14, 21e14
		c.Funding.Index = uint32(i + 10)
		in.Backup.Channels = append(in.Backup.Channels, &c)
	}
	if got := Rehearse(in).Totals; got.CapacityMsat != math.MaxUint64 || got.RecoverableShareMsat != math.MaxUint64 {
		t.Errorf("%+v", got)
	}
}

// A rehearsal only looks: the backup is the same afterwards.
func TestARehearsalChangesNothing(t *testing.T) {
	for _, name := range cases(t) {
		b := backupOf(t, name)
		Rehearse(withSecret(t, Input{Backup: b, Now: now, Node: nodeOf(t, name, "node.json"), MaxAge: time.Minute}, name))
		if !reflect.DeepEqual(b, backupOf(t, name)) {
			t.Errorf("%s: changed", name)
		}
	}
}
