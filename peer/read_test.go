package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
)

func TestReadCollectsWhatCLNSaysAndSendsNothingOnAnyChannel(t *testing.T) {
	blob := bytes.Repeat([]byte{7}, 300)
	st := perform(t, func(a *actor) {
		a.init()
		a.raw(append([]byte{0, 7, 0, 3}, 1, 2, 3)) // its own peer_storage, not for us
		a.raw(peerStorage(len(blob), blob))
		a.send(reestablish(chanA, 7, 6), warningFor(channel.ID{}, "slow today"), reestablish(chanB, 1, 0), errorFor(channel.ID{0xc}, "dead"))
		a.drain()
	})
	n, err := client(t).Read(testCtx(t), st.target, chanA, chanB, channel.ID{0xc})
	if err != nil {
		t.Fatal(err)
	}
	if n.Result != Read || len(n.Channels) != 2 || !bytes.Equal(n.PeerStorage, blob) || len(n.Said) != 2 {
		t.Errorf("%+v", n)
	}
	a, okA := n.For(chanA)
	b, okB := n.For(chanB)
	if !okA || !okB || a.NextCommitment != 7 || a.NextRevocation != 6 || b.NextCommitment != 1 || b.NextRevocation != 0 {
		t.Errorf("numbers: %v, %v", a, b)
	}
	if _, ok := n.For(channel.ID{0xc}); ok {
		t.Error("numbers of a channel that had none")
	}
	if last := n.Said[1]; last.Text != "dead" || last.Kind != SaidError || !last.about(channel.ID{0xc}) {
		t.Errorf("said: %v", n.Said)
	}
	if told := st.told(); len(told) != 0 {
		t.Errorf("on the wire: %v", told)
	}
}

func TestReadEndsAsNamed(t *testing.T) {
	for _, tc := range []struct {
		name     string
		script   func(*actor)
		expect   []channel.ID
		want     Result
		channels int
	}{
		{"everything expected came, then the peer hung up", func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)) }, []channel.ID{chanA}, Read, 1},
		{"one is missing and the peer hung up", func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)) }, []channel.ID{chanA, chanB}, Evicted, 1},
		{"one is missing and the peer stays", func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)); a.drain() }, []channel.ID{chanA, chanB}, Read, 1},
		{"nothing expected, one came", func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)); a.drain() }, nil, Read, 1},
		{"a peer without channels", func(a *actor) { a.init(); a.drain() }, nil, Read, 0},
		{"a channel that the backup does not know", func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0), reestablish(chanB, 1, 0)); a.drain() }, []channel.ID{chanA}, Read, 2},
		{"not even pong", func(a *actor) {
			a.init()
			for {
				if _, err := a.conn.ReadNextMessage(); err != nil {
					return
				}
			}
		}, nil, Silent, 0},
		{"refused", func(a *actor) { a.init(); a.send(errorFor(channel.ID{}, "banned")); a.drain() }, nil, Refused, 0},
		{"storage that lies about its length", func(a *actor) { a.init(); a.raw(peerStorage(4, []byte{1})); a.drain() }, nil, Garbage, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			st := perform(t, tc.script)
			n, err := client(t).Read(testCtx(t), st.target, tc.expect...)
			if err != nil || n.Result != tc.want || len(n.Channels) != tc.channels {
				t.Errorf("%v with %d channels, %q, %v; want %v with %d", n.Result, len(n.Channels), n.Reason, err, tc.want, tc.channels)
			}
			if told := st.told(); len(told) != 0 {
				t.Errorf("on the wire: %v", told)
			}
		})
	}
}

func TestReadIsOverInTimeWithAPeerThatGoesOnAndOn(t *testing.T) {
	st := perform(t, func(a *actor) {
		a.init()
		for i := uint64(0); a.t.Context().Err() == nil; i++ {
			if a.conn.WriteMessage(must(encode(warningFor(chanA, "again")))) != nil {
				return
			}
			if _, err := a.conn.Flush(); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // the peer's own rhythm, below Quiet
		}
	})
	c := client(t, func(c *Config) { c.Timeouts.Reestablish = 300 * time.Millisecond })
	start := time.Now()
	n, err := c.Read(testCtx(t), st.target)
	if err != nil || n.Result != Read || len(n.Said) == 0 || len(n.Said) > maxSaid {
		t.Errorf("%v, %v, %d said", n.Result, err, len(n.Said))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestReadHearsThroughExtensionsThatItDoesNotKnow(t *testing.T) {
	st := perform(t, func(a *actor) {
		a.init()
		raw := must(encode(reestablish(chanA, 7, 6)))
		a.raw(append(raw, 0x05, 0xff)) // a TLV that breaks off
		a.raw(must(encode(reestablish(chanB, 3, 2)))[:2+32+16])
		a.drain()
	})
	n, err := client(t).Read(testCtx(t), st.target, chanA, chanB)
	if err != nil || n.Result != Read || len(n.Channels) != 2 {
		t.Fatalf("%+v, %v", n, err)
	}
	if r, _ := n.For(chanB); r.DataLossProtection || r.NextCommitment != 3 {
		t.Errorf("short form: %v", r)
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(testCtx(t))
	st := perform(t, func(a *actor) { a.init(); cancel(); a.drain() })
	if _, err := client(t).Read(ctx, st.target); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNoSecretIsPrintedOrLogged(t *testing.T) {
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	logger.SetLevel(logrus.TraceLevel)
	st := perform(t, func(a *actor) { a.init(); a.send(reestablish(chanA, 7, 6)); a.drain() })
	n, err := client(t, func(c *Config) { c.Log = logger }).Read(testCtx(t), st.target, chanA)
	if err != nil || len(n.Channels) != 1 {
		t.Fatalf("%+v, %v", n, err)
	}
	secret := testSecret(5)
	if [32]byte(n.Channels[0].YourLastSecret) != secret {
		t.Fatal("the secret did not arrive")
	}
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d"} {
		shown += fmt.Sprintf(verb, *n) + fmt.Sprintf(verb, n.Channels[0].YourLastSecret)
	}
	shown += string(must(json.Marshal(n)))
	for _, form := range []string{fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", secret[:8])[1:16], string(secret[:])} {
		if strings.Contains(shown, form) {
			t.Errorf("shows the secret as %q", form)
		}
	}
	if !strings.Contains(log.String(), "read the peer's numbers") {
		t.Error("nothing was logged at all")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
