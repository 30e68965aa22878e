package keychain

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/glrecover/glrecover/failure"
)

// Reveal returns the two forms that lightningd --recover takes: 64 hex digits
// and codex32 (BIP 93). It is the only way a secret becomes text: for a
// terminal, on the user's explicit request.
func (s *Secret) Reveal() (hexText, codex32 string, err error) {
	secret, err := s.key32()
	if err != nil {
		return "", "", err
	}
	return hex.EncodeToString(secret), encodeCodex32(codexPrefix, codexID, secret), nil
}

// WriteFile writes a 32-byte hsm_secret of mode 0400. It never replaces a
// file, and it returns only after file and directory are on disk; a file that
// could not be written whole is removed. The error is a *failure.Error.
func (s *Secret) WriteFile(path string) error {
	secret, err := s.key32()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	switch {
	case errors.Is(err, os.ErrExist):
		return failure.New(failure.InvalidParameter, "Name another place, or look at that file first: it may be a node's only secret",
			"%s exists already and is never replaced", path).Wrap(err)
	case err != nil:
		return failure.New(failure.InvalidParameter, "Name a directory that this user may write to", "%s cannot be created", path).Wrap(err)
	}
	if err := writeWhole(f, secret); err != nil {
		// The write's own error matters more than a failed removal.
		_ = os.Remove(path)
		return failure.New(failure.Internal, "Check the disk and try again", "%s could not be written", path).Wrap(err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return failure.New(failure.Internal, "Check the disk, remove the file and try again", "the directory of %s could not be synced", path).Wrap(err)
	}
	return nil
}

func writeWhole(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		// The umask may have taken the owner's bit.
		err = f.Chmod(0o400)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
