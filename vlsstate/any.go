package vlsstate

import (
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
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	return ParseAny(data)
}

// ReadAnyFile is ReadAny for a regular file.
func ReadAnyFile(path string) (*Backup, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseAny(data)
}

// ParseAny is ReadAny for text in memory.
func ParseAny(data []byte) (*Backup, error) {
	if len(data) > MaxSize {
		return nil, tooLarge()
	}
	parts := split(data)
	if len(parts.dump) == 0 && len(parts.backups) < 2 {
		return Parse(data)
	}
	if errors.Is(parts.err, errStream) {
		return nil, failure.New(failure.BackupTooLarge, doUseBackup,
			"the input holds more than %d backups or %d entries of a dump", maxBackups, maxLines).Wrap(parts.err)
	}
	if parts.err != nil {
		return nil, notJSON(data, parts.err)
	}
	if len(parts.dump) == 0 && parts.skipped > 0 {
		if what := magicOf(data); what != "" {
			return nil, failure.New(failure.NotABackup, doUseBackup, "%s", what)
		}
		return nil, notABackup("there is other text between the backups")
	}
	var inputs []*Backup
	for i, text := range parts.backups {
		b, err := Parse(text)
		if err != nil {
			return nil, inStream(i+1, err)
		}
		inputs = append(inputs, b)
	}
	if len(parts.dump) > 0 {
		b, err := parseDump(parts)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, b)
	}
	return Merge(inputs...)
}

// inStream says which backup of a stream a failure is about.
func inStream(number int, err error) error {
	var f *failure.Error
	if !errors.As(err, &f) {
		return err
	}
	return failure.New(f.Name, f.Do, "backup %d of the stream: %s", number, f.Found).Wrap(err)
}

// stream is a text taken apart: JSON objects, and lines of a dump.
type stream struct {
	backups [][]byte
	dump    []dumped
	// skipped counts lines that are neither.
	skipped int
	// err says why an object that began did not end, or that there is no end.
	err error
}

// Bounds of a stream: 64 MiB of the shortest objects or lines would become
// gigabytes.
const (
	maxBackups = 1 << 12
	maxLines   = maxMembers
)

var errStream = errors.New("the stream has too many parts")

type dumped struct {
	line           int
	key            string
	value, version []byte
}

func split(data []byte) (out stream) {
	s := scanner{data: data}
	line := 1
	for {
		start := s.pos
		s.space()
		line += bytes.Count(data[start:s.pos], []byte("\n"))
		if s.pos == len(data) {
			return out
		}
		if len(out.backups) > maxBackups || len(out.dump) > maxLines {
			out.err = errStream
			return out
		}
		start = s.pos
		if data[start] == '{' {
			if out.err = s.value(0); out.err != nil {
				return out
			}
			out.backups = append(out.backups, data[start:s.pos])
			line += bytes.Count(data[start:s.pos], []byte("\n"))
			continue
		}
		end := bytes.IndexByte(data[start:], '\n')
		if end < 0 {
			end = len(data) - start
		}
		s.pos = start + end
		text := bytes.TrimSuffix(data[start:s.pos], []byte("\r"))
		if key, value, version, ok := dumpLine(text); ok {
			out.dump = append(out.dump, dumped{line, key, value, version})
		} else {
			out.skipped++
		}
	}
}

// parseDump reads the dump lines of a stream; a key that occurs more than once
// is merged by version.
func parseDump(parts stream) (*Backup, error) {
	b := &Backup{Source: FromDump}
	m := newMerger()
	for _, l := range parts.dump {
		r := entryReader{b: b, problem: problemAt(l.key, l.line)}
		e, note, err := parseDumpLine(l.key, l.value, l.version)
		if err != nil {
			r.lost(err)
			continue
		}
		m.add(located{Entry: e, position: l.line, note: note})
	}
	id, ok := dumpNode(m.list)
	if !ok {
		return nil, notABackup("the dump does not hold the state of exactly one node")
	}
	b.NodeID = id
	m.mend(id)
	if err := b.load(m.list); err != nil {
		return nil, err
	}
	m.remark(b)
	if parts.skipped > 0 {
		reason := "1 line of the dump is no entry; it was skipped"
		if parts.skipped > 1 {
			reason = fmt.Sprintf("%d lines of the dump are no entries; they were skipped", parts.skipped)
		}
		b.Problems = append(b.Problems, &EntryError{
			Kind:   KindUnknown,
			Reason: reason,
			Effect: Noted,
		})
	}
	return b, nil
}
