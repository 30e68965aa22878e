package core

import "github.com/glrecover/glrecover/recovery/model"

// Row is one way from a state to another.
type Row struct {
	From model.ChannelState
	On   string
	To   model.ChannelState
}

// begun stands for a channel that is not known yet.
const begun model.ChannelState = "(new)"

// Table is everything that leads from one state to another; the package comment
// shows it, and a test walks it.
var Table = rows()

func rows() []Row {
	out := []Row{
		{begun, "plan: import", model.ImportDeferred},
		{begun, "plan: import, without a lightningd", model.AskFirst},
		{begun, "plan: ask_first", model.AskFirst},
		{begun, "plan: funding_unconfirmed", model.FundingUnconfirmed},
		{begun, "plan: follow_closed", model.OutputsWaiting},
		{begun, "plan: already_imported", model.Imported},
		{begun, "plan: already_resolved", model.NeedsOperator},
		{begun, "plan: left out", model.LeftOut},
		{model.FundingUnconfirmed, "3 confirmations", model.ImportDeferred},
		{model.ImportDeferred, "lightningd makes the stub", model.Imported},
		{model.ImportDeferred, "lightningd does not take it", model.LeftOut},
		{model.ImportDeferred, "numbers 1/0", model.AskFirst},
		{model.ImportDeferred, "peer is behind", model.PeerStale},
	}
	// Another plan takes up what the last one left, or found too young.
	for _, from := range []model.ChannelState{model.LeftOut, model.FundingUnconfirmed} {
		for _, row := range out[:8] {
			if row.To != from {
				out = append(out, Row{from, row.On, row.To})
			}
		}
		out = append(out, Row{from, "plan: import, and its peer was asked before", model.CloseRequested})
	}
	// A channel whose peer is to be asked, or was.
	asks := []model.ChannelState{model.AskFirst, model.Forgotten, model.Imported, model.CloseRequested, model.NeedsAddress, model.NeedsSecret}
	for _, from := range asks {
		for _, to := range []Row{
			{"", "asked", model.CloseRequested},
			{"", "no address works", model.NeedsAddress},
			{"", "secret unreadable", model.NeedsSecret},
			{"", "peer is behind", model.PeerStale},
			{"", "numbers moved, proven", model.HostedAlive},
			{"", "numbers moved, unproven", model.NeedsOperator},
			{"", "the peer does not speak of it", model.Forgotten},
		} {
			// Without the secret it stays so, however a session ends that began before.
			if secretless := from == model.NeedsSecret && to.To.Asks(); to.To != from && !secretless {
				out = append(out, Row{from, to.On, to.To})
			}
		}
	}
	// What stopped it ends, and it goes on from where it was.
	for _, to := range []model.ChannelState{model.ImportDeferred, model.AskFirst, model.Imported, model.CloseRequested} {
		out = append(out,
			Row{model.PeerStale, "override, or numbers are right again", to},
			Row{model.HostedAlive, "override", to},
			Row{model.NeedsOperator, "retry", to},
			Row{model.NeedsSecret, "secret readable", to},
		)
		if to != model.ImportDeferred {
			out = append(out, Row{model.NeedsAddress, "peer reached", to}, Row{model.Forgotten, "the peer speaks of it again", to})
		}
	}
	out = append(out,
		Row{model.HostedAlive, "override, and its funding is young", model.FundingUnconfirmed},
		Row{model.PeerStale, "plan: funding_unconfirmed, without a lightningd", model.FundingUnconfirmed},
		Row{model.AskFirst, "lightningd makes the stub", model.Imported},
		Row{model.ImportDeferred, "another channel proves the hosted node alive", model.HostedAlive},
		Row{model.FundingUnconfirmed, "another channel proves the hosted node alive", model.HostedAlive},
		Row{begun, "another channel proves the hosted node alive while it is planned", model.HostedAlive},
		Row{model.LeftOut, "another channel proves the hosted node alive while it is planned", model.HostedAlive},
		Row{model.PeerStale, "another channel proves the hosted node alive while it is planned", model.HostedAlive},
	)
	// Whatever leads to a peer that is to be asked leads here without the secret.
	for _, from := range []model.ChannelState{
		begun, model.LeftOut, model.FundingUnconfirmed, model.ImportDeferred, model.PeerStale, model.HostedAlive, model.NeedsOperator, model.CloseSeen, model.OutputsWaiting, model.Credited,
		model.LostTo, model.Cheated,
	} {
		out = append(out, Row{from, "its peer is to be asked, without the secret", model.NeedsSecret})
	}
	// Its import was under way when something else stopped it.
	for _, from := range append(asks, model.PeerStale, model.HostedAlive, model.NeedsOperator) {
		out = append(out, Row{from, "lightningd does not take it", model.LeftOut})
	}
	// Whatever a channel waits for, its close ends that.
	for _, from := range []model.ChannelState{
		model.FundingUnconfirmed, model.ImportDeferred, model.AskFirst, model.Forgotten, model.Imported, model.CloseRequested, model.NeedsAddress, model.NeedsSecret, model.PeerStale,
		model.HostedAlive, model.NeedsOperator,
	} {
		out = append(out,
			Row{from, "close in the mempool", model.CloseSeen},
			Row{from, "close in a block", model.OutputsWaiting},
			Row{from, "close in a block, all in the wallet or taken", model.Credited},
			Row{from, "close in a block, and 100 more", model.Resolved},
			Row{from, "close in a block, spent from the wallet by somebody else", model.LostTo},
			Row{from, "a commitment that is revoked", model.Cheated},
		)
		if from != model.NeedsOperator {
			out = append(out, Row{from, "a splice", model.NeedsOperator})
		}
	}
	for _, from := range []model.ChannelState{model.CloseSeen, model.OutputsWaiting, model.Credited, model.LostTo} {
		if from != model.CloseSeen {
			out = append(out, Row{from, "reorganisation", model.CloseSeen})
		}
		if from != model.OutputsWaiting {
			out = append(out, Row{from, "in a block, not in the wallet", model.OutputsWaiting})
		}
		if from != model.Credited {
			out = append(out, Row{from, "all in the wallet or taken", model.Credited})
		}
		out = append(out,
			Row{from, "a commitment that is revoked", model.Cheated},
			Row{from, "a splice", model.NeedsOperator},
		)
		if from != model.LostTo {
			out = append(out, Row{from, "somebody else spent it from the wallet", model.LostTo})
		}
	}
	// A close that is nowhere any more leads back to what was done before it.
	for _, from := range []model.ChannelState{model.CloseSeen, model.OutputsWaiting, model.Credited, model.LostTo, model.Cheated} {
		for _, to := range []model.ChannelState{model.ImportDeferred, model.AskFirst, model.Imported, model.CloseRequested, model.LeftOut, model.PeerStale, model.HostedAlive} {
			out = append(out, Row{from, "neither in the mempool nor in a block", to})
		}
	}
	return append(out,
		Row{model.OutputsWaiting, "100 blocks", model.Resolved},
		Row{model.Credited, "100 blocks", model.Resolved},
		Row{model.CloseSeen, "100 blocks", model.Resolved},
		Row{model.OutputsWaiting, "spent from the wallet, nobody can tell by whom", model.NeedsOperator},
		Row{model.LostTo, "all in the wallet or taken, and 100 blocks", model.Resolved},
		Row{model.Cheated, "another close", model.CloseSeen},
		Row{model.Cheated, "a splice", model.NeedsOperator},
		Row{model.Cheated, "another close, in a block", model.OutputsWaiting},
		Row{model.Cheated, "another close, all in the wallet or taken", model.Credited},
		Row{model.Cheated, "all of it claimed or taken", model.Credited},
		Row{model.Cheated, "all of it claimed or taken, and 100 blocks", model.Resolved},
		Row{model.Cheated, "all of it claimed or taken, and spent from the wallet by somebody else", model.LostTo},
	)
}
