package cores

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestEachIndexIsVisitedOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		visits := make([]int32, n)
		Do(n, func(i int) { atomic.AddInt32(&visits[i], 1) })
		for i, v := range visits {
			if v != 1 {
				t.Errorf("%d of %d: %d visits", i, n, v)
			}
		}
	}
}

func TestAnErrorIsReturned(t *testing.T) {
	want := errors.New("the seventh")
	err := Each(1000, func(i int) error {
		if i == 7 {
			return want
		}
		return nil
	})
	if !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
}

func TestAPanicIsTheCallers(t *testing.T) {
	defer func() {
		if got := recover(); got != "the seventh" {
			t.Errorf("recovered %v", got)
		}
	}()
	Do(1000, func(i int) {
		if i == 7 {
			panic("the seventh")
		}
	})
	t.Error("no panic")
}
