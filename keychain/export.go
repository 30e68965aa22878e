package keychain

import (
	"encoding/hex"
	"errors"
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
// could not be written whole is removed. File systems that cannot sync a directory
// (some FUSE and network ones) keep the file all the same. The error is a *failure.Error.
func (s *Secret) WriteFile(path string) error {
	secret, err := s.key32()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	switch {
	case errors.Is(err, os.ErrExist):
		return failure.New(failure.InvalidParameter, "Choose another place, or look at that file first: it may be a node's only secret",
			"%s already exists and is never replaced", path).Wrap(err)
	case err != nil:
		return failure.New(failure.InvalidParameter, "Choose a directory that this user may write to", "%s cannot be created", path).Wrap(err)
	}
	if err := writeWhole(f, secret); err != nil {
		// The write's own error matters more than a failed removal.
		_ = os.Remove(path)
		return failure.New(failure.Internal, "Check the disk and try again", "%s could not be written", path).Wrap(err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		// The file is whole: it stays.
		return failure.New(failure.Internal, "Check the disk, and that the file is still there after a restart of this machine",
			"%s is written, but its directory could not be synced", path).Wrap(err)
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
