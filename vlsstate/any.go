package vlsstate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/glrecover/glrecover/failure"
)

// ReadAny reads a backup, the text of vlsd --dump-storage or --dump-lss, or a
// stream of such, one after the other, and merges them as Merge does. A dump
// has no creation time, no strategy and no peers; the log lines that vlsd
// prints into it are skipped and counted in a remark. Failures are those of
// Parse and Merge.
func ReadAny(r io.Reader) (*Backup, error) {
	in := newInput(r)
	if begins := bytes.TrimLeft(in.head, " \t\r\n"); len(begins) > 0 && begins[0] == '[' && !isDump(in.head) {
		return in.backup()
	}
	s := stream{in: in}
	if err := s.read(); err != nil {
		return nil, err
	}
	return s.merge()
}

// ReadAnyFile is ReadAny for a regular file.
func ReadAnyFile(path string) (*Backup, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAny(f)
}

// inStream says which backup of a stream a failure is about.
func inStream(number int, err error) error {
	var f *failure.Error
	if !errors.As(err, &f) {
		return err
	}
	return failure.New(f.Name, f.Do, "backup %d of the stream: %s", number, f.Found).Wrap(err)
}

// stream is a text of JSON objects and lines of a dump.
type stream struct {
	in      *input
	backups []*Backup
	errs    []error
	dump    []dumped
	// skipped counts lines that are neither, other is where the first begins.
	skipped int
	other   int64
}

// Bounds of a stream: a text of the shortest objects or lines would become many
// times its size.
const (
	maxBackups = 1 << 12
	maxLines   = 1 << 19
)

// dumped is one entry of a dump. Lines are counted outside of JSON objects.
type dumped struct {
	located
	err *fieldError
}

func (s *stream) read() error {
	for line := 1; ; line++ {
		c, ok, err := s.in.peek()
		switch {
		case err != nil:
			return err
		case !ok:
			return nil
		case len(s.backups) > maxBackups || len(s.dump) > maxLines:
			return failure.New(failure.BackupTooLarge, doUseBackup,
				"the input holds more than %d backups or %d entries of a dump", maxBackups, maxLines)
		}
		if c == '{' {
			if err := s.readBackup(); err != nil {
				return err
			}
			continue
		}
		at := s.in.offset
		text, err := s.in.line()
		if err != nil {
			return err
		}
		key, value, version, ok := dumpLine(text)
		if !ok {
			if s.skipped == 0 {
				s.other = at
			}
			s.skipped++
			continue
		}
		d := dumped{located: located{Entry: Entry{Key: key}, position: line}}
		d.Entry, d.note, d.err = parseDumpLine(key, value, version)
		d.Key = key
		s.dump = append(s.dump, d)
	}
}

func (s *stream) readBackup() error {
	e, err := s.in.envelope()
	if err != nil {
		if failure.NameOf(err) == failure.UnsupportedVersion && len(s.backups) > 0 {
			return inStream(len(s.backups)+1, err)
		}
		return err
	}
	b, err := e.backup()
	s.backups, s.errs = append(s.backups, b), append(s.errs, err)
	return nil
}

// line reads to the end of a line. Of a line that can be no entry only the
// beginning is kept, so that a text without lines is not.
func (in *input) line() ([]byte, error) {
	var out []byte
	for {
		part, err := in.r.ReadSlice('\n')
		in.offset += int64(len(part))
		if len(out) < headSize || isDumpKey(out) {
			out = append(out, part...)
		}
		switch {
		case in.source.err != nil:
			return nil, in.source.err
		case !errors.Is(err, bufio.ErrBufferFull):
			return bytes.TrimRight(out, "\r\n"), nil
		}
	}
}

// merge makes one backup of what was read.
func (s *stream) merge() (*Backup, error) {
	if s.skipped > 0 && len(s.dump) == 0 && errors.Join(s.errs...) != nil {
		// Text stands before a backup, and parts of that were taken for others.
		if moved := (&syntaxError{s.other, moreText}); remains(s.in.head, moved) != "" {
			return nil, notJSON(s.in.head, moved)
		}
	}
	for i, err := range s.errs {
		switch {
		case err == nil:
		case len(s.errs) == 1 && len(s.dump) == 0 && s.skipped == 0:
			return nil, err
		case len(s.errs) > 1 || len(s.dump) > 0:
			return nil, inStream(i+1, err)
		}
	}
	if len(s.dump) == 0 && (s.skipped > 0 || len(s.backups) == 0) {
		switch what := magicOf(s.in.head); {
		case len(s.backups) == 0:
			return nil, notJSON(s.in.head, &syntaxError{s.other, "no value begins here"})
		case what != "":
			return nil, failure.New(failure.NotABackup, doUseBackup, "%s", what)
		case len(s.backups) > 1:
			return nil, notABackup("there is other text between the backups")
		}
		return nil, notJSON(s.in.head, &syntaxError{s.other, moreText})
	}
	inputs := s.backups
	if len(s.dump) > 0 {
		b, err := s.parseDump()
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, b)
	}
	return Merge(inputs...)
}

// parseDump reads the dump lines of a stream; a key that occurs more than once
// is merged by version.
func (s *stream) parseDump() (*Backup, error) {
	b := &Backup{Source: FromDump}
	m := newMerger()
	for _, l := range s.dump {
		if l.err != nil {
			b.complain(&part{located: l.located}, EntryLost, l.err)
			continue
		}
		m.add(l.located)
	}
	id, ok := dumpNode(m.list)
	if !ok {
		return nil, notABackup("the dump does not hold the state of exactly one node")
	}
	b.NodeID = id
	m.mend(id)
	m.addMarks()
	if err := b.load(m.list); err != nil {
		return nil, err
	}
	m.remark(b)
	if s.skipped > 0 {
		reason := "1 line of the dump is not an entry; it was skipped"
		if s.skipped > 1 {
			reason = fmt.Sprintf("%d lines of the dump are not entries; they were skipped", s.skipped)
		}
		b.Problems = append(b.Problems, &EntryError{
			Kind:   KindUnknown,
			Reason: reason,
			Effect: Noted,
		})
	}
	return b, nil
}
