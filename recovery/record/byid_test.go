package record_test

import (
	"reflect"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
)

// TestAChannelOfWhichOnlyTheIDIsKnownIsReadAgain: it has no keys, and a dbid that is
// none.
func TestAChannelOfWhichOnlyTheIDIsKnownIsReadAgain(t *testing.T) {
	id, err := channel.ParsePubKey("02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723")
	if err != nil {
		t.Fatal(err)
	}
	said := channel.ID{0xff, 1, 2}
	r := model.Record{State: model.AskFirst, Channel: channel.Channel{
		Key: channel.Key{Peer: id, DBID: channel.UnknownDBID(said)}, Funding: channel.V1Funding(said, 1), ByID: true, Type: channel.AnchorsZeroFeeHTLC,
	}}
	m := &memory{entries: map[string]api.Record{}}
	if err := record.Open(m).Write(t.Context(), model.Save{Run: &model.Run{NodeID: id}, Channels: []model.Record{r}}); err != nil {
		t.Fatal(err)
	}
	got, err := record.Open(m).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Channels) != 1 || !reflect.DeepEqual(got.Channels[0].Channel, r.Channel) {
		t.Errorf("got %+v", got.Channels)
	}
}
