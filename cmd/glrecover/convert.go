package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// Forms of --format.
const (
	formatCLN   = "cln"
	formatGlcli = "glcli"
	// formatText is glcli's name for one entry per line.
	formatText = "text"
)

var convertCommand = command{
	name:    "convert",
	args:    "[--format cln|glcli|text] [--skip-incomplete] [--addresses PEER@ADDRESS[,...]] [--json] [-o OUT] FILE",
	summary: "turn a signer backup into the entries that recoverchannel takes",
	help: `FILE is a signer backup, or - for standard input. The result is {"scb":[...]}, the
parameter of lightning-cli recoverchannel. Whatever was left out is listed with the
reason on standard error, and the exit code is then 1. The plugin does all this by
itself, checks the chain first, and does more: use it if you can.

  --format cln
      what the plugin sends (the default): without the peer's secrets, which
      keep lightningd from recovering a used channel. A peer without
      address gets the placeholder ` + scbconv.Placeholder.String() + `
  --format glcli
      byte for byte what Greenlight's converter writes, for comparison; it rejects
      a peer without address
  --format text
      like cln, one entry per line
  --skip-incomplete
      leave out the channels whose peer has no usable address
  --json
      a report with the channels instead of {"scb":[...]} alone; with
      --format glcli it is Greenlight's own
  -o OUT
      write to a new file, which only you can read, instead of standard output;
      an existing file is never overwritten
` + addressesHelp,
	run: convert,
}

func convert(c *cli, args []string) error {
	fs := flags("convert")
	format := fs.String("format", formatCLN, "")
	skip := fs.Bool("skip-incomplete", false, "")
	asJSON := fs.Bool("json", false, "")
	out := fs.String("o", "", "")
	addrs := addressesFlag(fs)
	files, err := parse(fs, args, "FILE")
	if err != nil {
		return err
	}
	switch {
	case *format == "json":
		*format = formatCLN // glcli's name
	case *format == formatText && *asJSON:
		return usagef("--format text and --json cannot be combined")
	case *format != formatCLN && *format != formatGlcli && *format != formatText:
		return usagef("--format is %s, %s or %s, not %q", formatCLN, formatGlcli, formatText, *format)
	case *format == formatGlcli && len(addrs) > 0:
		return usagef("--addresses: Greenlight's converter takes none; use --format %s", formatCLN)
	}
	b, err := c.load(files[0])
	if err != nil {
		return err
	}
	if err := addrs.used(b); err != nil {
		return err
	}
	c.complain(vlsstate.Lines(b.Problems)...)
	convertTo := c.convertCLN
	if *format == formatGlcli {
		convertTo = c.convertGlcli
	}
	report, request, errPart := convertTo(b, addrs, *skip)
	if errPart != nil && !errors.Is(errPart, errProblem) {
		return errPart
	}
	write := func(w io.Writer) error {
		switch cln, is := report.(clnReport); {
		case *format == formatText:
			_, err := io.WriteString(w, strings.Join(request.SCB, "\n")+"\n")
			return err
		case !*asJSON:
			return encodeJSON(w, request)
		case is:
			return cln.encode(w)
		}
		return encodeJSON(w, report)
	}
	if *out != "" && *out != "-" {
		err = writeNew(*out, write)
	} else {
		err = write(result{c})
	}
	if err != nil {
		return err
	}
	if errPart != nil {
		return errPart
	}
	return problems(b)
}

// clnReport is --json of the cln format; amounts in msat, txids in display
// order.
type clnReport struct {
	Request  scbconv.Request `json:"request"`
	Channels []clnChannel    `json:"channels"`
	LeftOut  []clnLeftOut    `json:"left_out"`
	// Problems are entries that could not be read; their channels are missing.
	Problems []problemFacts `json:"problems"`
}

type clnChannel struct {
	PeerID        channel.PubKey  `json:"peer_id"`
	DBID          uint64          `json:"dbid"`
	ChannelID     channel.ID      `json:"channel_id"`
	FundingTxid   string          `json:"funding_txid"`
	FundingOutnum uint32          `json:"funding_outnum"`
	CapacityMsat  uint64          `json:"capacity_msat"`
	Address       scbconv.Address `json:"address"`
	AddressSource scbconv.Source  `json:"address_source"`
	SignerClosed  bool            `json:"closed_according_to_signer"`
	SCB           string          `json:"scb"`
}

func (r clnReport) encode(w io.Writer) error {
	channels := r.Channels
	r.Channels = []clnChannel{}
	return encodeJSONList(w, r, "channels", len(channels), func(i int) any { return &channels[i] })
}

type clnLeftOut struct {
	PeerID channel.PubKey `json:"peer_id"`
	DBID   uint64         `json:"dbid"`
	Reason string         `json:"reason"`
}

// convertCLN never fails as a whole; errProblem means that a channel was left
// out that nobody asked to leave out.
func (c *cli) convertCLN(b *vlsstate.Backup, addrs addresses, skip bool) (any, scbconv.Request, error) {
	r := clnReport{
		Request: scbconv.Request{SCB: []string{}}, Channels: []clnChannel{},
		LeftOut: []clnLeftOut{}, Problems: problemsOf(b),
	}
	var (
		result error
		said   vlsstate.Grouped
	)
	leaveOut := func(ch *channel.Channel, why string) {
		r.LeftOut = append(r.LeftOut, clnLeftOut{ch.Peer, ch.DBID, why})
		said.Add(why, "left out "+ch.Key.String())
	}
	for _, o := range scbconv.Convert(b.Channels, addrs.known(b)) {
		ch := o.Channel
		placeholder := o.Choice.Source == scbconv.FromPlaceholder
		switch {
		case o.Err != nil:
			leaveOut(ch, o.Err.Error())
			result = errProblem
			continue
		case placeholder && skip:
			leaveOut(ch, "no usable address of the peer is known")
			continue
		case placeholder:
			said.Add(fmt.Sprintf("no usable address of the peer is known; %s is used as a placeholder (give one with --addresses NODE_ID@HOST:PORT)", o.Choice.Address), ch.Key.String())
		}
		if ch.State.Closed {
			said.Add("closed according to the signer; check the chain first", ch.Key.String())
		}
		r.Request.SCB = append(r.Request.SCB, o.SCB)
		r.Channels = append(r.Channels, clnChannel{
			PeerID: ch.Peer, DBID: ch.DBID, ChannelID: ch.ID(),
			FundingTxid: ch.Funding.Hash.String(), FundingOutnum: ch.Funding.Index, CapacityMsat: channel.Msat(ch.CapacitySat),
			Address: o.Choice.Address, AddressSource: o.Choice.Source, SignerClosed: ch.State.Closed, SCB: o.SCB,
		})
	}
	c.complain(said.Lines()...)
	if len(r.Request.SCB) == 0 {
		return nil, scbconv.Request{}, failure.New(failure.IncompleteChannel, "",
			"the backup holds no channel that can be converted")
	}
	fmt.Fprintf(c.stderr, "glrecover: %d of %s converted\n", len(r.Request.SCB), page.Count(len(b.Channels), "channel", "channels"))
	return r, r.Request, result
}

// convertGlcli prints Greenlight's refusal in its own words, then ours.
func (c *cli) convertGlcli(b *vlsstate.Backup, _ addresses, skip bool) (any, scbconv.Request, error) {
	texts := make(map[channel.PubKey]string, len(b.Peers))
	for id, p := range b.Peers {
		texts[id] = p.Addr
	}
	report, err := scbconv.Greenlight(b.NodeID, b.Channels, texts, skip)
	if refusal := new(scbconv.Refusal); errors.As(err, &refusal) {
		fmt.Fprintf(c.stderr, "%s\n", plain(refusal.Text))
		return nil, scbconv.Request{}, failure.New(failure.IncompleteChannel,
			"Use --format cln, which needs no address, or --skip-incomplete",
			"Greenlight's converter refuses this backup with the line above").Wrap(err)
	}
	if err != nil {
		return nil, scbconv.Request{}, err
	}
	fmt.Fprintf(c.stderr, "glrecover: %d of %s converted, for comparison only: in this form a used channel recovers little\n",
		report.ExportedChannels, page.Count(report.TotalChannels, "channel", "channels"))
	return report, report.Request, nil
}
