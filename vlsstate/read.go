package vlsstate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/glrecover/glrecover/failure"
)

// MaxSize is the largest input in bytes that is read, as file, stream or text:
// some hundred thousand channels.
const MaxSize = 4 << 30

func tooLarge() *failure.Error {
	return failure.New(failure.BackupTooLarge, doUseBackup,
		"the input is larger than %d GiB; a channel takes about 25 kB", MaxSize>>30)
}

// Read reads one signer backup of version 1 until the end of r, at most MaxSize
// bytes. A failure of the whole is a *failure.Error with the name
// backup_unreadable, backup_too_large, not_a_backup, unsupported_version or
// unsupported_key_derivation; bad entries are in Backup.Problems. It holds the
// entries and not the text.
func Read(r io.Reader) (*Backup, error) {
	in := newInput(r)
	b, err := in.backup()
	if err != nil {
		return nil, err
	}
	if err := in.end(); err != nil {
		return nil, err
	}
	return b, nil
}

// ReadFile reads the backup in a regular file. Failures are those of Parse,
// and backup_unreadable.
func ReadFile(path string) (*Backup, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

// openFile refuses what is no regular file before opening it, since opening a
// pipe would wait for a writer, and what is too large before reading it.
func openFile(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, failure.New(failure.BackupUnreadable, doUseBackup, "%s is not a regular file", path)
	}
	if info.Size() > MaxSize {
		return nil, tooLarge()
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

// headSize is how much of an input is kept to say what it is.
const headSize = 1 << 16

// input is a stream that backups are read from, one after the other.
type input struct {
	r *bufio.Reader
	// source is below r and below the decoder.
	source *source
	// head is how the input begins, all of it where it is short.
	head []byte
	// offset is where r stands.
	offset int64
}

// source counts, bounds and remembers what goes wrong.
type source struct {
	r    io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		s.err = tooLarge()
		return 0, s.err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = unreadable("the input", err)
	}
	return n, err
}

func newInput(r io.Reader) *input {
	in := &input{source: &source{r: r, left: MaxSize + 1}}
	in.r = bufio.NewReaderSize(in.source, headSize)
	head, _ := in.r.Peek(headSize)
	in.head = bytes.Clone(head)
	return in
}

// fail turns what a decoder complained of into a failure of the whole input.
func (in *input) fail(err error) error {
	var named *failure.Error
	switch {
	case in.source.err != nil:
		return in.source.err
	case errors.As(err, &named):
		return err
	}
	return notJSON(in.head, jsonError(err, in.offset))
}

// errNoObject is a text that is JSON and no object.
var errNoObject = errors.New("the top level is not an object")

// mark is the byte order mark that editors put before a text.
const mark = "\xef\xbb\xbf"

// peek skips white space and marks, and returns the next byte; ok is false at the end.
func (in *input) peek() (c byte, ok bool, err error) {
	for {
		next, _ := in.r.Peek(len(mark))
		switch {
		case in.source.err != nil:
			return 0, false, in.source.err
		case len(next) == 0:
			return 0, false, nil
		}
		skip := 0
		switch next[0] {
		case ' ', '\t', '\r', '\n':
			skip = 1
		case mark[0]:
			if string(next) == mark {
				skip = len(mark)
			}
		}
		if skip == 0 {
			return next[0], true, nil
		}
		n, _ := in.r.Discard(skip)
		in.offset += int64(n)
	}
}

// end complains of anything but white space.
func (in *input) end() error {
	_, more, err := in.peek()
	if err != nil {
		return err
	}
	if more {
		return notJSON(in.head, &syntaxError{in.offset, moreText})
	}
	return nil
}

// envelope reads one JSON object.
func (in *input) envelope() (*envelope, error) {
	c, ok, err := in.peek()
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, notJSON(in.head, errTruncated)
	}
	dec := jsontext.NewDecoder(in.r, jsontext.AllowDuplicateNames(true))
	if c != '{' {
		// Whatever else it is, it is no backup; what is no JSON is said first.
		if err := dec.SkipValue(); err != nil {
			return nil, in.fail(err)
		}
		if c == '[' && bytes.HasPrefix(bytes.TrimLeft(bytes.TrimSpace(in.head)[1:], " \t\r\n"), []byte(`"`)) {
			return nil, failure.New(failure.NotABackup, doUseBackup, "this is a list of %s", staticSCB)
		}
		if c == '[' {
			return nil, notABackup("it is a JSON list, perhaps the output of Greenlight's inspection")
		}
		if what := remains(in.head, errNoObject); what != "" {
			return nil, failure.New(failure.NotABackup, doSalvage, "%s", what)
		}
		return nil, notABackup("the top level is not an object")
	}
	e, err := readEnvelope(dec)
	if err != nil {
		return nil, in.fail(err)
	}
	_, e.wrapped = unwrapped(in.head)
	in.offset += dec.InputOffset()
	in.r = bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(dec.UnreadBuffer())), in.r))
	return e, nil
}

// backup reads one backup.
func (in *input) backup() (*Backup, error) {
	e, err := in.envelope()
	if err != nil {
		return nil, err
	}
	return e.backup()
}

func unreadable(what string, err error) *failure.Error {
	var pathErr *fs.PathError
	reason := err
	if errors.As(err, &pathErr) {
		reason = pathErr.Err
	}
	return failure.New(failure.BackupUnreadable,
		"Check the path, and that the user who runs this program may read it",
		"%s cannot be read: %s", what, fmt.Sprint(reason)).Wrap(err)
}
