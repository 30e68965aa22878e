package chain

import "time"

// Patience sets how long a new block that cannot be read is waited for before
// the blocks above it are looked at without it; 30 s by default. It is read
// later, as are old blocks that could not be, first after a thirtieth of that.
func Patience(d time.Duration) WatcherOption { return func(w *Watcher) { w.patience = d } }
