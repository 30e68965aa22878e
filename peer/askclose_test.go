package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lightningnetwork/lnd/lnwire"

	"github.com/glrecover/glrecover/channel"
)

var wholeOrder = []lnwire.MessageType{lnwire.MsgChannelReestablish, lnwire.MsgError}

func TestAskCloseNamesWhatBecameOfIt(t *testing.T) {
	type msgs = []lnwire.MessageType
	onlyReestablish := msgs{lnwire.MsgChannelReestablish}
	for _, tc := range []struct {
		name   string
		script func(*actor)
		ask    Ask
		want   Result
		reason string // contained
		sent   Sent
		told   msgs
	}{
		{
			name: "CLN with a used channel warns, then hangs up at the error",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(warningFor(chanA, "bad reestablish revocation_number: 0 vs 7"))
				a.next()
			},
			want: Asked, reason: "0 vs 7", sent: SentError, told: wholeOrder,
		},
		{
			name: "CLN with a channel that was never used fails it at the zero numbers",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 1, 0))
				a.next()
				a.send(errorFor(chanA, "bad reestablish commitment_number: 0 vs 1"))
				a.drain()
			},
			want: ClosedSaid, reason: "0 vs 1", sent: SentError, told: wholeOrder,
		},
		{
			name: "lnd says that it closes and ignores the rest",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(&lnwire.GossipTimestampRange{}, errorFor(chanA, "sync error"))
				a.drain()
			},
			want: ClosedSaid, reason: "sync error", sent: SentError, told: wholeOrder,
		},
		{
			name: "the answer only comes after the error",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.next()
				a.send(errorFor(chanA, "closing now"))
				a.drain()
			},
			want: ClosedSaid, reason: "closing now", sent: SentError, told: wholeOrder,
		},
		{
			name: "CLN with a subdaemon that takes the first error with it hears the second",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(warningFor(chanA, "bad reestablish revocation_number: 0 vs 7"))
				a.next()
				a.next()
				a.send(errorFor(chanA, "They sent ERROR"))
				a.drain()
			},
			want: ClosedSaid, reason: "They sent ERROR", sent: SentError, told: wholeOrder,
		},
		{
			name: "a peer that ignores errors",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(warningFor(chanA, "no"))
				a.drain()
			},
			want: Asked, reason: "no", sent: SentError, told: wholeOrder,
		},
		{
			name: "a peer that sends its numbers and then nothing more",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.drain()
			},
			want: Silent, sent: SentError, told: wholeOrder,
		},
		{
			name: "a peer that offers a mutual close is told all the same",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(&lnwire.Shutdown{ChannelID: lnwire.ChannelID(chanA), Address: bytes.Repeat([]byte{1}, 22)})
				a.drain()
			},
			want: Asked, reason: "shutdown", sent: SentError, told: wholeOrder,
		},
		{
			name:   "a stale peer is told nothing",
			script: func(a *actor) { a.init(); a.send(reestablish(chanA, 2, 1)); a.drain() },
			ask:    Ask{Decide: func(Reestablish) (bool, string) { return false, "peer_stale: behind" }},
			want:   Withheld, reason: "peer_stale: behind", sent: SentNothing,
		},
		{
			name:   "a peer that does not know the channel",
			script: func(a *actor) { a.init(); a.send(reestablish(chanB, 2, 1)); a.drain() },
			want:   NoReestablish, sent: SentNothing,
		},
		{
			name: "a probed peer that does not know the channel says so and never gets an error",
			script: func(a *actor) {
				a.init()
				a.next()
				a.send(errorFor(chanA, "Unknown channel for WIRE_CHANNEL_REESTABLISH"))
				a.drain()
			},
			ask:  Ask{Probe: true},
			want: NoReestablish, reason: "Unknown channel", sent: SentReestablish, told: onlyReestablish,
		},
		{
			name: "a probed peer that closed the channel long ago says so",
			script: func(a *actor) {
				a.init()
				a.next()
				a.send(reestablish(chanA, 7, 6), errorFor(chanA, "channel in state ONCHAIN"))
				a.drain()
			},
			ask:  Ask{Probe: true},
			want: ClosedSaid, reason: "ONCHAIN", sent: SentError, told: wholeOrder,
		},
		{
			name: "a probed peer that was only slow, and is stale, gets no error",
			script: func(a *actor) {
				a.init()
				a.next()
				a.send(reestablish(chanA, 0, 0))
				a.drain()
			},
			ask:  Ask{Probe: true, Decide: func(Reestablish) (bool, string) { return false, "peer_stale" }},
			want: Withheld, reason: "peer_stale", sent: SentReestablish, told: onlyReestablish,
		},
		{
			name: "a peer that failed the channel before repeats its error",
			script: func(a *actor) {
				a.init()
				a.send(errorFor(chanB, "other"), errorFor(chanA, "Awaiting unilateral close"))
				a.drain()
			},
			want: ClosedSaid, reason: "Awaiting unilateral close", sent: SentNothing,
		},
		{
			name:   "a peer that refuses the connection after init",
			script: func(a *actor) { a.init(); a.send(errorFor(channel.ID{}, "go away")); a.drain() },
			want:   Refused, reason: "go away", sent: SentNothing,
		},
		{
			name:   "a peer that refuses the connection in place of init",
			script: func(a *actor) { a.send(errorFor(channel.ID{}, "no room")); a.drain() },
			want:   Refused, reason: "no room", sent: SentNothing,
		},
		{
			name:   "evicted before init",
			script: func(a *actor) {},
			want:   Evicted, sent: SentNothing,
		},
		{
			name:   "evicted after init",
			script: func(a *actor) { a.init() },
			want:   Evicted, sent: SentNothing,
		},
		{
			name:   "evicted after the zero numbers",
			script: func(a *actor) { a.init(); a.send(reestablish(chanA, 7, 6)); a.next() },
			want:   Evicted, sent: SentReestablish, told: onlyReestablish,
		},
		{
			name: "hung up because of a closed sibling",
			script: func(a *actor) {
				a.init()
				a.send(errorFor(chanB, "channel in state ONCHAIN"))
			},
			want: Evicted, sent: SentNothing,
		},
		{
			name: "other channels, dead and alive, don't disturb",
			script: func(a *actor) {
				a.init()
				a.send(errorFor(chanB, "dead"), warningFor(channel.ID{0xc}, "hm"), reestablish(channel.ID{0xd}, 3, 2), reestablish(chanA, 7, 6))
				a.next()
				a.send(warningFor(channel.ID{0xd}, "where is yours?"), reestablish(channel.ID{0xe}, 1, 0), warningFor(chanA, "bad"))
				a.next()
			},
			want: Asked, reason: "bad", sent: SentError, told: wholeOrder,
		},
		{
			name:   "accepts and says nothing",
			script: func(a *actor) { a.drain() },
			want:   Silent, reason: "no init", sent: SentNothing,
		},
		{
			name: "says nothing after init, not even pong",
			script: func(a *actor) {
				a.init()
				for {
					if _, err := a.conn.ReadNextMessage(); err != nil {
						return
					}
				}
			},
			want: Silent, reason: "nothing after init", sent: SentNothing,
		},
		{
			name:   "speaks before init",
			script: func(a *actor) { a.send(reestablish(chanA, 7, 6)); a.drain() },
			want:   Garbage, reason: "before init", sent: SentNothing,
		},
		{
			name:   "an init that does not decode",
			script: func(a *actor) { a.raw([]byte{0, 16, 0xff}); a.drain() },
			want:   Garbage, sent: SentNothing,
		},
		{
			name:   "numbers that end in the middle",
			script: func(a *actor) { a.init(); a.raw(append([]byte{0, 136}, chanA[:]...)); a.drain() },
			want:   Garbage, sent: SentNothing,
		},
		{
			name:   "an empty message",
			script: func(a *actor) { a.init(); a.raw(nil); a.drain() },
			want:   Garbage, sent: SentNothing,
		},
		{
			name:   "bytes that don't decrypt",
			script: func(a *actor) { a.init(); spoil(a); a.drain() },
			want:   Garbage, reason: "decrypt", sent: SentNothing,
		},
		{
			name: "huge and unknown messages, odd and even, are passed over",
			script: func(a *actor) {
				huge := make([]byte, 65535)
				a.raw([]byte{0x7f, 0xff})
				a.init()
				for _, kind := range []uint16{2, 74, 32769, 65534, 65535, 264} {
					binary.BigEndian.PutUint16(huge, kind)
					a.raw(huge)
				}
				a.send(reestablish(chanA, 7, 6))
				a.next()
				binary.BigEndian.PutUint16(huge, 44444)
				a.raw(huge)
				a.send(warningFor(chanA, "bad"))
				a.next()
			},
			want: Asked, reason: "bad", sent: SentError, told: wholeOrder,
		},
		{
			name: "pings are answered and change nothing",
			script: func(a *actor) {
				a.init()
				a.send(lnwire.NewPing(9), reestablish(chanA, 7, 6), lnwire.NewPing(9))
				a.raw([]byte{0, 18, 0xff, 0xff, 0, 0})
				a.next()
				a.send(lnwire.NewPing(9), warningFor(chanA, "bad"))
				a.next()
			},
			want: Asked, reason: "bad", sent: SentError, told: wholeOrder,
		},
		{
			name: "a long and dirty text is cut and cleaned",
			script: func(a *actor) {
				a.init()
				a.send(reestablish(chanA, 7, 6))
				a.next()
				a.send(errorFor(chanA, "\x1b[31m\x00\n"+strings.Repeat("x", 10_000)))
				a.drain()
			},
			want: ClosedSaid, reason: "?[31m?xxx", sent: SentError, told: wholeOrder,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			st := perform(t, tc.script)
			ask := tc.ask
			ask.Channel = chanA
			if ask.Decide == nil {
				ask.Decide = yes
			}
			o, err := client(t).AskClose(testCtx(t), st.target, ask)
			if err != nil {
				t.Fatal(err)
			}
			if o.Result != tc.want || o.Sent != tc.sent || !strings.Contains(o.Reason, tc.reason) {
				t.Errorf("%s, sent %s, %q; want %s, sent %s, %q", o.Result, o.Sent, o.Reason, tc.want, tc.sent, tc.reason)
			}
			if len(o.Reason) > maxText || strings.ContainsFunc(o.Reason, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("reason is not fit to be shown: %q", o.Reason)
			}
			if told := slices.Compact(st.told()); !slices.Equal(told, tc.told) {
				t.Errorf("on the wire: %v, want %v", told, tc.told)
			}
		})
	}
}

// spoil sends bytes under the noise layer.
func spoil(a *actor) {
	// The listener's connection hides its socket; a message that is encrypted
	// twice is as bad.
	if a.conn.WriteMessage([]byte{0, 136, 1, 2, 3}) != nil {
		return
	}
	a.conn.ClearPendingSend()
	// The nonce moved on without a byte on the wire.
	a.raw([]byte{0, 136, 1, 2, 3})
}

func TestAPeerThatNeverStopsSendingIsCutOff(t *testing.T) {
	for name, message := range map[string][]byte{
		"many messages": {0x80, 1},
		"many bytes":    append([]byte{0x80, 1}, make([]byte, 65000)...),
	} {
		t.Run(name, func(t *testing.T) {
			st := perform(t, func(a *actor) {
				a.init()
				for a.conn.WriteMessage(message) == nil {
					if _, err := a.conn.Flush(); err != nil {
						return
					}
				}
			})
			c := client(t, func(c *Config) { c.Timeouts.Reestablish = time.Minute })
			o, err := c.AskClose(testCtx(t), st.target, Ask{Channel: chanA, Decide: yes})
			if err != nil || o.Result != Garbage || !strings.Contains(o.Reason, "never stops") || o.Sent != SentNothing {
				t.Errorf("%v, sent %v, %q, %v", o.Result, o.Sent, o.Reason, err)
			}
		})
	}
}

func TestAskCloseTellsTheNumbersBeforeAnythingIsSent(t *testing.T) {
	st := perform(t, func(a *actor) {
		a.init()
		a.send(reestablish(chanA, 7, 6), reestablish(chanA, 99, 98))
		a.drain()
	})
	var seen Reestablish
	o, err := client(t).AskClose(testCtx(t), st.target, Ask{Channel: chanA, Decide: func(r Reestablish) (bool, string) {
		seen = r
		return false, "looked only"
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Reestablish{
		Channel: chanA, NextCommitment: 7, NextRevocation: 6, DataLossProtection: true,
		YourLastSecret: testSecret(5), MyCurrentPoint: channel.PubKeyOf(theirKey.PubKey()),
	}
	if seen != want || o.Before == nil || *o.Before != want {
		t.Errorf("Decide saw %v, outcome has %v, want %v", seen, o.Before, want)
	}
	if told := st.told(); len(told) != 0 {
		t.Errorf("on the wire: %v", told)
	}
}

func TestAskCloseSendsZeroNumbersAndThenErrorForThisChannelOnly(t *testing.T) {
	var zero *lnwire.ChannelReestablish
	var fail *lnwire.Error
	st := perform(t, func(a *actor) {
		a.init()
		a.send(reestablish(chanB, 2, 1), reestablish(chanA, 7, 6))
		zero, _ = a.next().(*lnwire.ChannelReestablish)
		a.send(warningFor(chanA, "bad"))
		fail, _ = a.next().(*lnwire.Error)
	})
	if _, err := client(t).AskClose(testCtx(t), st.target, Ask{Channel: chanA, Decide: yes}); err != nil {
		t.Fatal(err)
	}
	st.told()
	if zero == nil || zero.ChanID != lnwire.ChannelID(chanA) || zero.NextLocalCommitHeight != 0 ||
		zero.RemoteCommitTailHeight != 0 || zero.LastRemoteCommitSecret != [32]byte{} ||
		!zero.LocalUnrevokedCommitPoint.IsEqual(ourKey.PubKey()) {
		t.Errorf("channel_reestablish: %+v", zero)
	}
	if fail == nil || fail.ChanID != lnwire.ChannelID(chanA) || string(fail.Data) != failText {
		t.Errorf("error: %+v", fail)
	}
}

func TestAskCloseStopsWithItsContextAndSaysHowFarItGot(t *testing.T) {
	reached := make(chan struct{})
	st := perform(t, func(a *actor) {
		a.init()
		a.send(reestablish(chanA, 7, 6))
		a.next()
		close(reached)
		a.drain()
	})
	ctx, cancel := context.WithCancel(testCtx(t))
	go func() { <-reached; cancel() }()
	o, err := client(t, func(c *Config) { c.Timeouts.Answer = time.Minute }).AskClose(ctx, st.target, Ask{Channel: chanA, Decide: yes})
	if !errors.Is(err, context.Canceled) || o.Sent != SentReestablish {
		t.Errorf("%v, sent %v", err, o.Sent)
	}
	if told := st.told(); len(told) != 1 {
		t.Errorf("on the wire: %v", told)
	}
}

func TestTheWrongNodeAtTheAddressIsNamed(t *testing.T) {
	st := perform(t, func(a *actor) { a.drain() })
	target := st.target
	target.Node = channel.PubKeyOf(nodeKey(3).PubKey())
	o, err := client(t).AskClose(testCtx(t), target, Ask{Channel: chanA, Decide: yes})
	if err != nil || o.Result != WrongKey {
		t.Errorf("lnd's listener with another key: %v, %v", o.Result, err)
	}

	for name, reply := range map[string]string{
		"a web server":           "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"fifty zeros":            strings.Repeat("\x00", 50),
		"a server that hangs up": "",
	} {
		n, err := client(t).Read(testCtx(t), rawServer(t, func(c net.Conn) {
			buf := make([]byte, 50)
			_, _ = c.Read(buf)
			_, _ = c.Write([]byte(reply))
		}))
		if err != nil || n.Result != WrongKey {
			t.Errorf("%s: %v, %v", name, n.Result, err)
		}
	}

	n, err := client(t, func(c *Config) { c.Timeouts.Handshake = 50 * time.Millisecond }).
		Read(testCtx(t), rawServer(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Read(make([]byte, 1))
		}))
	if err != nil || n.Result != Silent {
		t.Errorf("a port that takes everything and says nothing: %v, %v", n.Result, err)
	}
}

// rawServer runs f for each TCP connection.
func rawServer(t *testing.T, f func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c) }()
		}
	}()
	return Target{Node: channel.PubKeyOf(theirKey.PubKey()), Address: addressOf(t, l.Addr())}
}

func TestAClosedPortIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Node: channel.PubKeyOf(theirKey.PubKey()), Address: addressOf(t, l.Addr())}
	_ = l.Close()
	o, err := client(t).AskClose(testCtx(t), target, Ask{Channel: chanA, Decide: yes})
	if err != nil || o.Result != Unreachable || o.Sent != SentNothing {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAskCloseRefusesToRunWithoutDecide(t *testing.T) {
	st := perform(t, func(a *actor) { t.Error("dialled all the same") })
	if _, err := client(t).AskClose(testCtx(t), st.target, Ask{Channel: chanA}); !errors.Is(err, ErrArgument) {
		t.Error(err)
	}
}
