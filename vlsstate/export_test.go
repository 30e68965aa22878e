package vlsstate

import "bytes"

// Parse reads a backup that a test has in hand.
func Parse(data []byte) (*Backup, error) { return Read(bytes.NewReader(data)) }
