package recovery

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/testdata"
)

// The node runs on the right secret; only the file's node_id, which nobody
// signs, is not what its entries say.
func TestADamagedNodeIDOfTheFileIsNotTheNodesFault(t *testing.T) {
	const name = "used-both-ways"
	raw, err := os.ReadFile(testdata.Corpus(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	right, other := readCorpus(t, name).NodeID, readCorpus(t, "stale").NodeID
	raw = bytes.Replace(raw, []byte(`"node_id": "`+right.String()), []byte(`"node_id": "`+other.String()), 1)
	w := newWorld(t, name, true)
	w.deps.Diagnose = func(context.Context, api.Node, channel.PubKey, channel.PubKey) *failure.Error {
		return failure.New(failure.WrongNode, "", "the words are wrong")
	}
	w.start()
	p := pathOf(t, name)
	p.Backup = api.Backup{Inline: raw}
	if _, err := w.recover(p); failure.NameOf(err) != failure.WrongNode || !strings.Contains(err.Error(), "the secret is right, the file is damaged") {
		t.Errorf("got %v", err)
	}
}
