package rescue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/record"
)

// Journal is the record of one rescue: a directory that only its owner may read,
// with a file for each entry. A file is written whole, synced and then put in its
// place, and the directory is synced too, so that a kill or a power cut leaves
// either the old entry or the new one. One program at a time has it.
type Journal struct {
	dir  string
	lock *os.File
}

var _ record.Store = (*Journal)(nil)

const (
	entryEnd = ".json"
	lockName = "lock"
	// unfinished begins the name of a file that was being written.
	unfinished = ".new-"
)

// OpenJournal makes the directory, if there is none, and locks it. The failures
// are busy, where another program has it, and invalid_parameter.
func OpenJournal(dir string) (*Journal, error) {
	bad := func(err error) error {
		return failure.New(failure.InvalidParameter, "Choose a directory of your own with --journal",
			"the journal %s cannot be used: %v", dir, err).Wrap(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, bad(err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, bad(err)
	case !private(info):
		return nil, bad(errors.New("others may read or write it: restrict it to yourself (chmod 700)"))
	}
	lock, err := lockAt(filepath.Join(dir, lockName), "another glrecover rescue has the journal "+dir)
	switch {
	case failure.NameOf(err) == failure.Busy:
		return nil, err
	case err != nil:
		return nil, bad(err)
	}
	return &Journal{dir: dir, lock: lock}, nil
}

// Close lets others have it.
func (j *Journal) Close() error { return j.lock.Close() }

// Dir is where it is.
func (j *Journal) Dir() string { return j.dir }

// path is the file of an entry. Keys are names of ours; one that could leave the
// directory is a defect.
func (j *Journal) path(key []string) (string, error) {
	if len(key) == 0 {
		return "", errors.New("journal: no name")
	}
	for _, name := range key {
		if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) {
			return "", fmt.Errorf("journal: %q is no name of an entry", name)
		}
	}
	return filepath.Join(append([]string{j.dir}, key...)...), nil
}

// Records are the entry of the key and those right below it.
func (j *Journal) Records(_ context.Context, key []string) ([]api.Record, error) {
	path, err := j.path(key)
	if err != nil {
		return nil, err
	}
	var out []api.Record
	raw, err := readEntry(path + entryEnd)
	switch {
	case err == nil:
		out = append(out, api.Record{Key: key, Value: string(raw)})
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("journal: %w", err)
	}
	files, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("journal: %w", err)
	}
	for _, f := range files {
		name, is := strings.CutSuffix(f.Name(), entryEnd)
		if f.IsDir() || !is || strings.HasPrefix(name, ".") {
			continue
		}
		raw, err := readEntry(filepath.Join(path, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		out = append(out, api.Record{Key: append(append([]string{}, key...), name), Value: string(raw)})
	}
	return out, nil
}

// maxEntry is more than any entry has; a larger file is not ours.
const maxEntry = 8 * record.MaxEntry

func readEntry(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err == nil && len(raw) > maxEntry {
		err = fmt.Errorf("%s has more than %d bytes", path, maxEntry)
	}
	return raw, err
}

// SaveRecord creates or replaces an entry, and returns when it is on the disk.
func (j *Journal) SaveRecord(_ context.Context, key []string, value string) error {
	path, err := j.path(key)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := j.makeDir(dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f, err := os.CreateTemp(dir, unfinished+"*")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, err = f.WriteString(value)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path+entryEnd)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("journal: %w", err)
	}
	return syncDir(dir)
}

// makeDir makes a directory below the journal's, and syncs what it is in.
func (j *Journal) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for at := dir; len(at) > len(j.dir); at = filepath.Dir(at) {
		if err := syncDir(filepath.Dir(at)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRecord deletes an entry; one that is not there is no error.
func (j *Journal) DeleteRecord(_ context.Context, key []string) error {
	path, err := j.path(key)
	if err != nil {
		return err
	}
	err = os.Remove(path + entryEnd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// settings are what stays the same from call to call of one rescue.
type settings struct {
	Version     int            `json:"version"`
	NodeID      channel.PubKey `json:"node_id"`
	Network     string         `json:"network"`
	Destination string         `json:"destination"`
}

const settingsVersion = 1

// settingsKey is apart from the recovery's own entries.
var settingsKey = []string{"rescue"}

// settle reads for whom the journal is, or writes it where it is new. A journal of
// another node, network or destination is refused: the sweeps on record pay to the
// first address.
func (j *Journal) settle(ctx context.Context, s settings) error {
	list, err := j.Records(ctx, settingsKey)
	if err != nil {
		return err
	}
	s.Version = settingsVersion
	if len(list) == 0 || !slices.Equal(list[0].Key, settingsKey) {
		raw, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return j.SaveRecord(ctx, settingsKey, string(raw))
	}
	var have settings
	if err := json.Unmarshal([]byte(list[0].Value), &have); err != nil || have.Version != settingsVersion {
		return failure.New(failure.RecordUnreadable, "Keep it, and choose another directory with --journal",
			"the journal %s is damaged, or of another version", j.dir).Wrap(err)
	}
	differs := func(what, has, want string) error {
		return failure.New(failure.InvalidParameter, "Choose another directory with --journal, or continue as you began",
			"the journal %s belongs to a rescue with the %s %s, not %s", j.dir, what, has, want)
	}
	switch {
	case have.NodeID != s.NodeID:
		return differs("node", have.NodeID.String(), s.NodeID.String())
	case have.Network != s.Network:
		return differs("network", have.Network, s.Network)
	case have.Destination != s.Destination:
		return differs("address", have.Destination, s.Destination)
	}
	return nil
}

// unheardKey has the peers that are still to be heard.
var unheardKey = []string{"rescue", "unheard"}

// heardAll notes that no peer is to be heard any more.
func (j *Journal) heardAll(ctx context.Context) error { return j.DeleteRecord(ctx, unheardKey) }

// keepUnheard notes which peers are still to be heard; those of the backup, where
// there are none.
func (j *Journal) keepUnheard(ctx context.Context, list []backup.Unheard) error {
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return j.SaveRecord(ctx, unheardKey, string(raw))
}

// unheard are the peers that were still to be heard when the last call ended; some
// says that there are some, or that it ended before it was known.
func (j *Journal) unheard(ctx context.Context) (out []backup.Unheard, some bool, err error) {
	list, err := j.Records(ctx, unheardKey)
	if err != nil || len(list) == 0 {
		return nil, false, err
	}
	if err := json.Unmarshal([]byte(list[0].Value), &out); err != nil {
		return nil, false, failure.New(failure.RecordUnreadable, "Keep it, and choose another directory with --journal",
			"the journal %s is damaged", j.dir).Wrap(err)
	}
	return out, true, nil
}
