package vlsstate

// SyncDir implements FileSystem: a directory cannot be synced there; the file
// system journals a rename.
func (Disk) SyncDir(string) error { return nil }
