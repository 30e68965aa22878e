package keychain

// modesCount: the bits of a file's mode say nothing there, access lists do.
const modesCount = false

// syncDir: a directory cannot be synced there; the file system journals a new
// file.
func syncDir(string) error { return nil }
