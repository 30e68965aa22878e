package rescue

import (
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// TestOneRescueOfANodeAtATime, whichever journals they have; another node's is another
// matter, and so is the next one.
func TestOneRescueOfANodeAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".glrecover")
	node := channel.PubKey{2, 1}
	first, err := LockNode(dir, node)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockNode(dir, node); failure.NameOf(err) != failure.Busy {
		t.Errorf("a second one: %v", err)
	}
	if other, err := LockNode(dir, channel.PubKey{2, 2}); err != nil {
		t.Errorf("another node: %v", err)
	} else {
		other.Close()
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := LockNode(dir, node)
	if err != nil {
		t.Fatalf("the next one: %v", err)
	}
	next.Close()
}
