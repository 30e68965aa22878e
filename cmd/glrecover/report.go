package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/recovery/tell"
)

var reportCommand = command{
	name:    "report",
	args:    "[STATUS] [-o OUT] [--lightning-dir DIR] [--network NAME] [--rpc-file FILE]",
	summary: "write a recovery's state as one page for a browser",
	help: `It asks the plugin in the running lightningd, as status does, and changes nothing.
The page needs no network and holds no secret, invoice or payee. It does not update
itself: write another one to see what changed since.

STATUS is a file with the output of lightning-cli glrecover-status, or - for
standard input, for a node whose socket this program cannot reach, such as one in a
container.

  -o OUT
      write the page to this file, which must not exist yet, instead of standard
      output
` + socketHelp,
	run: report,
}

func report(c *cli, args []string) error {
	fs := flags("report")
	out := fs.String("o", "", "")
	place := nodeFlags(fs)
	files, err := parseUpTo(fs, args, 1)
	if err != nil {
		return err
	}
	var s *tell.Status
	if len(files) == 1 {
		s, err = c.readStatus(files[0])
	} else {
		s, err = askStatus(place)
	}
	if err != nil {
		return err
	}
	html, err := page.Make(s, c.now())
	if err != nil {
		return err
	}
	if *out == "" || *out == "-" {
		return c.write(html)
	}
	return writeNew(*out, func(w io.Writer) error {
		_, err := w.Write(html)
		return err
	})
}

func askStatus(place *nodePlace) (*tell.Status, error) {
	client, err := place.client()
	if err != nil {
		return nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	_, s, err := statusOf(ctx, client)
	return s, err
}

// maxStatus is the largest status that is read from a file, in bytes.
const maxStatus = 64 << 20

// readStatus reads an answer of glrecover-status from a file, "-" for standard
// input.
func (c *cli) readStatus(path string) (*tell.Status, error) {
	in := c.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, failure.New(failure.BackupUnreadable, "Give the file with the output of lightning-cli glrecover-status", "%s cannot be read: %s", path, reason(err))
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxStatus+1))
	if err != nil {
		return nil, failure.New(failure.BackupUnreadable, "", "%s cannot be read: %s", path, reason(err))
	}
	s := new(tell.Status)
	var is struct {
		Channels *json.RawMessage `json:"channels"`
		Notes    *json.RawMessage `json:"notes"`
	}
	if len(raw) > maxStatus || json.Unmarshal(raw, &is) != nil || is.Channels == nil || is.Notes == nil || json.Unmarshal(raw, s) != nil {
		return nil, failure.New(failure.InvalidParameter, "Write it with: lightning-cli glrecover-status > status.json", "%s is not the output of glrecover-status", path)
	}
	return s, nil
}
