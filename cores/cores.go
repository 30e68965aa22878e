// Package cores divides work among all cores.
package cores

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls f for 0 to n-1, on every core, in no order. After an error a core
// begins nothing more; the errors are joined. A panic in f is the caller's, as if it
// had called f itself.
func Each(n int, f func(i int) error) error {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	failed := make([]error, min(n, runtime.GOMAXPROCS(0)))
	panics := make([]any, len(failed))
	for w := range failed {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			for failed[w] == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				failed[w] = f(i)
			}
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return errors.Join(failed...)
}

// Do is Each where nothing can fail.
func Do(n int, f func(i int)) {
	_ = Each(n, func(i int) error {
		f(i)
		return nil
	})
}
