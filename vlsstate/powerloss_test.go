package vlsstate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

// errPowerLoss is what every call answers once the power is gone.
var errPowerLoss = errors.New("power loss")

// inode is a file's content as written and as it is on the platters.
type inode struct{ cached, durable []byte }

// powerless is a file system in memory that loses power before call number
// failAt, or half-way through it. Renames and removals reach the platters in
// order, but only SyncDir says when; contents only with Sync.
type powerless struct {
	calls  int
	failAt int
	// err is what the failing call returns; after errPowerLoss every later
	// call fails too, after any other error (a full disk) they work again.
	err error

	// dirs are all states of the directory since the last SyncDir; any of them
	// may be what is left.
	dirs []map[string]*inode
	tmp  int
}

func newPowerless(files map[string]string) *powerless {
	dir := map[string]*inode{}
	for name, text := range files {
		dir[name] = &inode{cached: []byte(text), durable: []byte(text)}
	}
	return &powerless{dirs: []map[string]*inode{dir}, failAt: -1, err: errPowerLoss}
}

func (p *powerless) step() error {
	p.calls++
	if p.failAt >= 0 && (p.calls-1 == p.failAt || p.calls-1 > p.failAt && errors.Is(p.err, errPowerLoss)) {
		return p.err
	}
	return nil
}

func (p *powerless) now() map[string]*inode { return p.dirs[len(p.dirs)-1] }

func (p *powerless) change(f func(dir map[string]*inode)) {
	next := map[string]*inode{}
	for k, v := range p.now() {
		next[k] = v
	}
	f(next)
	p.dirs = append(p.dirs, next)
}

func (p *powerless) Resolve(path string) (string, error) { return path, p.step() }

func (p *powerless) Open(path string) (io.ReadCloser, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	f, ok := p.now()[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(f.cached)), nil
}

func (p *powerless) CreateTemp(dir, prefix string) (File, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	p.tmp++
	name := filepath.Join(dir, fmt.Sprintf("%s%d", prefix, p.tmp))
	node := &inode{}
	p.change(func(d map[string]*inode) { d[name] = node })
	return &powerlessFile{p: p, name: name, node: node}, nil
}

func (p *powerless) List(dir, prefix string) ([]string, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	var out []string
	for name := range p.now() {
		if filepath.Dir(name) == dir && strings.HasPrefix(filepath.Base(name), prefix) {
			out = append(out, filepath.Base(name))
		}
	}
	return out, nil
}

func (p *powerless) Rename(from, to string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.change(func(d map[string]*inode) { d[to] = d[from]; delete(d, from) })
	return nil
}

func (p *powerless) Remove(path string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.change(func(d map[string]*inode) { delete(d, path) })
	return nil
}

func (p *powerless) SyncDir(string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.dirs = p.dirs[len(p.dirs)-1:]
	return nil
}

type powerlessFile struct {
	p    *powerless
	name string
	node *inode
}

func (f *powerlessFile) Name() string { return f.name }

func (f *powerlessFile) Write(data []byte) (int, error) {
	if err := f.p.step(); err != nil {
		f.node.cached = append(f.node.cached, data[:len(data)/2]...)
		return len(data) / 2, err
	}
	f.node.cached = append(f.node.cached, data...)
	return len(data), nil
}

func (f *powerlessFile) Sync() error {
	if err := f.p.step(); err != nil {
		f.node.durable = f.node.cached[:len(f.node.cached)/3]
		return err
	}
	f.node.durable = bytes.Clone(f.node.cached)
	return nil
}

func (f *powerlessFile) Close() error { return f.p.step() }

// found is what may be at a path when the power comes back.
type found struct {
	file bool
	text []byte
}

func (p *powerless) after(path string) []found {
	var out []found
	for _, dir := range p.dirs {
		node, ok := dir[path]
		if !ok {
			out = append(out, found{})
			continue
		}
		out = append(out, found{true, node.durable})
		if !bytes.Equal(node.durable, node.cached) {
			out = append(out, found{true, node.cached}, found{true, node.cached[:len(node.cached)/2]})
		}
	}
	return out
}

func twoStates(t *testing.T) (older, newer *Backup, oldText, newText []byte) {
	t.Helper()
	older = parsed(t, filepath.Join(corpus, "closed-one", "backup-before-burial.json"))
	newer = parsed(t, filepath.Join(corpus, "closed-one", "backup.json"))
	var err error
	if oldText, err = Encode(older); err != nil {
		t.Fatal(err)
	}
	if newText, err = Encode(newer); err != nil {
		t.Fatal(err)
	}
	return older, newer, oldText, newText
}

func TestPowerLossAtAnyCallLeavesTheOldFileOrTheNew(t *testing.T) {
	_, newer, oldText, newText := twoStates(t)
	const path = "/backups/backup.json"
	leftover := "/backups/" + tempPrefix(path) + "old"
	whole := newPowerless(map[string]string{path: string(oldText), leftover: "half"})
	if err := WriteFile(path, newer, WriteOptions{FileSystem: whole}); err != nil {
		t.Fatal(err)
	}
	if whole.calls < 9 {
		t.Fatalf("only %d calls", whole.calls)
	}
	for failAt := range whole.calls {
		disk := newPowerless(map[string]string{path: string(oldText), leftover: "half"})
		disk.failAt = failAt
		err := WriteFile(path, newer, WriteOptions{FileSystem: disk})
		if err == nil {
			t.Errorf("power lost at call %d, and no error", failAt)
		}
		for _, f := range disk.after(path) {
			if !bytes.Equal(f.text, oldText) && !bytes.Equal(f.text, newText) {
				t.Errorf("power lost at call %d: neither the old file nor the new: %d bytes", failAt, len(f.text))
			}
		}
	}
	for _, f := range whole.after(path) {
		if !bytes.Equal(f.text, newText) {
			t.Error("written, but the new file is not certain to be there")
		}
	}
	if names := whole.now(); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestPowerLossInTheFirstWriteLeavesNothingReadable(t *testing.T) {
	_, newer, _, newText := twoStates(t)
	const path = "/backups/backup.json"
	for failAt := range 8 {
		disk := newPowerless(nil)
		disk.failAt = failAt
		if err := WriteFile(path, newer, WriteOptions{FileSystem: disk}); err == nil {
			break
		}
		for _, f := range disk.after(path) {
			if f.file && !bytes.Equal(f.text, newText) {
				t.Errorf("power lost at call %d: half a file of %d bytes", failAt, len(f.text))
			}
		}
	}
}

func TestAFullDiskKeepsTheOldFileAndLeavesNoTemporaryOne(t *testing.T) {
	_, newer, oldText, _ := twoStates(t)
	const path = "/backups/backup.json"
	full := errors.New("no space left on device")
	for failAt := range 9 {
		disk := newPowerless(map[string]string{path: string(oldText)})
		disk.failAt, disk.err = failAt, full
		err := WriteFile(path, newer, WriteOptions{FileSystem: disk})
		if err == nil {
			continue
		}
		if !errors.Is(err, full) {
			t.Errorf("call %d: %v", failAt, err)
		}
		if len(disk.now()) != 1 {
			t.Errorf("call %d: %d files left", failAt, len(disk.now()))
		}
	}
}

func TestAnOlderStateIsNotWrittenOverANewerOne(t *testing.T) {
	older, newer, oldText, newText := twoStates(t)
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := WriteFile(path, newer, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, older, WriteOptions{}); failure.NameOf(err) != failure.OlderState {
		t.Errorf("an older state: %v", err)
	}
	if got := load(t, path); !bytes.Equal(got, newText) {
		t.Error("the newer file is gone")
	}
	if err := WriteFile(path, older, WriteOptions{ReplaceNewer: true}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path); !bytes.Equal(got, oldText) {
		t.Error("asked for, and not replaced")
	}
	if err := WriteFile(path, newer, WriteOptions{}); err != nil {
		t.Errorf("a newer state: %v", err)
	}
	if err := WriteFile(path, newer, WriteOptions{}); err != nil {
		t.Errorf("the same state again: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
}

func TestAStateThatLacksAChannelIsOlder(t *testing.T) {
	_, newer, _, _ := twoStates(t)
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := WriteFile(path, newer, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	lacking := *newer
	lacking.Entries = nil
	var dropped Entry
	for _, e := range newer.Entries {
		if e.recoverable() && dropped.Key == "" {
			dropped = e
			continue
		}
		lacking.Entries = append(lacking.Entries, e)
	}
	if err := WriteFile(path, &lacking, WriteOptions{}); failure.NameOf(err) != failure.OlderState {
		t.Errorf("a channel missing: %v", err)
	}
	lacking.Entries = append(lacking.Entries, Entry{Key: dropped.Key, Version: TombstoneVersion, Value: []byte("null")})
	lacking.Entries.Sort()
	if err := WriteFile(path, &lacking, WriteOptions{}); err != nil {
		t.Errorf("a channel deleted by its signer: %v", err)
	}
}

func TestWhatIsNotThisNodesBackupIsNotWrittenOver(t *testing.T) {
	_, newer, _, _ := twoStates(t)
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, newer, WriteOptions{}); failure.NameOf(err) != failure.NotABackup {
		t.Errorf("another file: %v", err)
	}
	if string(load(t, path)) != "precious" {
		t.Error("the other file is gone")
	}
	other := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	if err := WriteFile(path, other, WriteOptions{ReplaceNewer: true}); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, newer, WriteOptions{}); failure.NameOf(err) != failure.WrongNode {
		t.Errorf("another node's backup: %v", err)
	}
	if err := WriteFile(filepath.Join(t.TempDir(), "missing", "x"), newer, WriteOptions{}); failure.NameOf(err) != failure.BackupNotWritten {
		t.Errorf("no directory: %v", err)
	}
}

func TestALeftoverOnARealDiskIsRemovedAndNothingElse(t *testing.T) {
	_, newer, _, _ := twoStates(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.json")
	for _, name := range []string{".backup.json.glrecover-123", ".backup.json.other", "backup.json.glrecover-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteFile(path, newer, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".backup.json.other backup.json backup.json.glrecover-1" {
		t.Errorf("left: %s", got)
	}
}

func TestTheFileBehindALinkIsReplacedAndTheLinkStays(t *testing.T) {
	older, newer, _, newText := twoStates(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "stick"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, link := filepath.Join(dir, "stick", "backup.json"), filepath.Join(dir, "latest.json")
	if err := os.Symlink(filepath.Join("stick", "backup.json"), link); err != nil {
		t.Fatal(err)
	}
	// The stick is not there: nothing is written in its place.
	if err := WriteFile(link, older, WriteOptions{}); failure.NameOf(err) != failure.BackupNotWritten {
		t.Errorf("a link to nothing: %v", err)
	}
	if err := WriteFile(file, older, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, newer, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(load(t, file), newText) {
		t.Error("the file behind the link is the old one")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}

func TestWhatIsNoRegularFileIsNeverReplaced(t *testing.T) {
	_, newer, _, _ := twoStates(t)
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(mkfifo(pipe), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, link} {
		for _, replace := range []bool{false, true} {
			if err := WriteFile(path, newer, WriteOptions{ReplaceNewer: replace}); failure.NameOf(err) != failure.BackupNotWritten {
				t.Errorf("%s, replace %v: %v", path, replace, err)
			}
		}
	}
}
