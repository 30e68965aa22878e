package keychain

import "errors"

func mkfifo(string) error { return errors.New("there are no pipes in the file system") }

func umask(int) (undo func()) { return func() {} }
