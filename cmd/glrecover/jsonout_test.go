package main

import (
	"bytes"
	"fmt"
	"testing"
)

func TestAListThatIsEncodedOnEveryCoreIsTheSameText(t *testing.T) {
	type item struct {
		Name string `json:"name"`
		List []int  `json:"list"`
		// None is null, and Some at times left out.
		None *uint64 `json:"none"`
		Some string  `json:"some,omitempty"`
	}
	type whole struct {
		// Before looks like the list itself.
		Before string  `json:"before"`
		Items  []*item `json:"items"`
		After  []int   `json:"after"`
	}
	for _, n := range []int{0, 1, 2, 255, 256, 257, 1000} {
		v := whole{Before: "\n  \"items\": []", Items: []*item{}, After: []int{1}}
		empty := v
		for i := range n {
			v.Items = append(v.Items, &item{Name: fmt.Sprintf("<%d>\n\"\u2028 &", i), List: make([]int, i%3), Some: "some"[:i%5]})
		}
		want, err := indentedJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := encodeJSONList(&got, empty, "items", n, func(i int) any { return v.Items[i] }); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d items: %.300q, want %.300q", n, got.Bytes(), want)
		}
	}
}
