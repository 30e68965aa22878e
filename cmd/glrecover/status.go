package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/term"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/tell"
)

var statusCommand = command{
	name:    "status",
	args:    "[--watch] [--json] [--lightning-dir DIR] [--network NAME] [--rpc-file FILE]",
	summary: "show how far a running recovery is",
	help: `It asks the plugin in the running lightningd, and shows one line per channel: what came
back, and what you can do now. It changes nothing. It exits with 1 if something
waits for you.

  --watch
      refresh it every few seconds until Ctrl-C
  --json
      the output of lightning-cli glrecover-status, unchanged
` + socketHelp,
	run: status,
}

// watchPause is the time between two drawings.
const watchPause = 3 * time.Second

func status(c *cli, args []string) error {
	fs := flags("status")
	watch := fs.Bool("watch", false, "")
	asJSON := fs.Bool("json", false, "")
	place := nodeFlags(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	tty, isTerminal := terminal(c.stdout)
	switch {
	case *watch && *asJSON:
		return usagef("--watch and --json cannot be combined")
	case *watch && !isTerminal:
		return usagef("--watch needs a terminal, and standard output is not one")
	}
	client, err := place.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *watch {
		return c.watch(ctx, client, tty)
	}
	raw, s, err := statusOf(ctx, client)
	if err != nil {
		return err
	}
	if *asJSON {
		err = c.writeJSON(raw)
	} else {
		err = c.write([]byte(statusText(s, c.now(), widthOf(tty))))
	}
	if err == nil && needsYou(s) {
		err = errProblem
	}
	return err
}

// watch draws the status until ctx ends. A node that is away for a while is
// waited for: it may be restarted in the middle of a recovery.
func (c *cli) watch(ctx context.Context, client *lightningd.Client, tty *os.File) error {
	const (
		home, toLineEnd, below = "\x1b[H", "\x1b[K", "\x1b[J"
		away                   = "\x1b[2J"
	)
	if err := c.write([]byte(away)); err != nil {
		return err
	}
	for {
		text := ""
		_, s, err := statusOf(ctx, client)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			text = wrapTo(widthOf(tty), "", "", plain(err.Error())) + "\nStill trying.\n"
		default:
			text = statusText(s, c.now(), widthOf(tty))
		}
		text += "\nEvery " + watchPause.String() + "; Ctrl-C stops the display, not the recovery.\n"
		drawn := []byte(home)
		for _, line := range fitHeight(text, tty) {
			drawn = append(drawn, line+toLineEnd+"\r\n"...)
		}
		if err := c.write(append(drawn, below...)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPause):
		}
	}
}

// statusOf asks the plugin.
func statusOf(ctx context.Context, client *lightningd.Client) (json.RawMessage, *tell.Status, error) {
	raw, err := client.RecoveryStatus(ctx)
	var rpc *lightningd.RPCError
	const unknownMethod = -32601
	switch {
	case errors.As(err, &rpc) && rpc.Code == unknownMethod:
		return nil, nil, failure.New(failure.NodeUnreachable, "Load it: lightning-cli plugin start /PATH/TO/glrecover, and plugin=/PATH/TO/glrecover in lightningd's config",
			"lightningd runs, but without the plugin glrecover").Wrap(err)
	case errors.As(err, &rpc):
		return nil, nil, failure.New(failure.NodeUnreachable, "Look at lightningd's log", "lightningd answered: %s", rpc.Message).Wrap(err)
	case err != nil:
		return nil, nil, failure.New(failure.NodeUnreachable, "Start lightningd, or point to it with --lightning-dir and --network",
			"lightningd does not answer at %s", client.Socket()).Wrap(err)
	}
	s := new(tell.Status)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, nil, failure.New(failure.Internal, "Use the same glrecover as lightningd does, or --json", "the plugin is another version of glrecover: %v", err).Wrap(err)
	}
	return raw, s, nil
}

// widthOf is the width of a terminal; 80 where that is none.
func widthOf(tty *os.File) int {
	if tty != nil {
		if width, _, err := term.GetSize(int(tty.Fd())); err == nil && width >= 40 {
			return width
		}
	}
	return 80
}

// fitHeight cuts a drawing to the terminal's height: what scrolled away could not
// be drawn over. The last line says so.
func fitHeight(text string, tty *os.File) []string {
	lines := splitLines(text)
	_, height, err := term.GetSize(int(tty.Fd()))
	if err != nil || height < 4 || len(lines) < height {
		return lines
	}
	cut := len(lines) - (height - 2)
	return append(lines[:height-2:height-2], fmt.Sprintf("... %d more lines: make the window taller, or leave out --watch", cut))
}
