package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/brontide"
	lndkeychain "github.com/lightningnetwork/lnd/keychain"
	"github.com/lightningnetwork/lnd/lnwire"

	"github.com/glrecover/glrecover/channel"
)

// nodeKey makes a throw-away identity that numbers can name.
func nodeKey(n byte) *lndkeychain.PrivKeyECDH {
	priv, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{n}, 32))
	return &lndkeychain.PrivKeyECDH{PrivKey: priv}
}

var (
	ourKey   = nodeKey(1)
	theirKey = nodeKey(2)
	chanA    = channel.ID{0xa}
	chanB    = channel.ID{0xb}
)

// quick are timeouts for a peer in the same process.
func quick() Timeouts {
	return Timeouts{
		Dial: 2 * time.Second, Handshake: time.Second, Init: time.Second, Reestablish: time.Second,
		Quiet: 100 * time.Millisecond, Answer: 300 * time.Millisecond, Closing: 300 * time.Millisecond,
		Write: time.Second,
	}
}

// actor is the scripted peer's side of one connection.
type actor struct {
	t    *testing.T
	conn *brontide.Conn
	// heard are the types of the client's messages about channels, in order.
	heard []lnwire.MessageType
}

func (a *actor) send(msgs ...lnwire.Message) {
	for _, m := range msgs {
		raw, err := encode(m)
		if err != nil {
			a.t.Errorf("script: %v", err)
			return
		}
		a.raw(raw)
	}
}

// raw ignores failures: the client may hang up at any time.
func (a *actor) raw(payload []byte) {
	_ = a.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if a.conn.WriteMessage(payload) == nil {
		_, _ = a.conn.Flush()
	}
}

// next reads the client's next message other than ping and pong; nil at the end
// of the connection.
func (a *actor) next() lnwire.Message {
	for {
		_ = a.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		raw, err := a.conn.ReadNextMessage()
		if err != nil {
			return nil
		}
		msg, err := lnwire.ReadMessage(bytes.NewReader(raw), 0)
		if err != nil {
			a.t.Errorf("script: the client sent what lnwire does not read: %v", err)
			return nil
		}
		switch m := msg.(type) {
		case *lnwire.Ping:
			a.send(lnwire.NewPong(make([]byte, m.NumPongBytes)))
			continue
		case *lnwire.Pong:
			continue
		case *lnwire.Init:
		default:
			a.heard = append(a.heard, m.MsgType())
		}
		return msg
	}
}

// drain reads until the client hangs up.
func (a *actor) drain() {
	for a.next() != nil {
	}
}

// init exchanges init as CLN and lnd do.
func (a *actor) init() {
	a.send(lnwire.NewInitMessage(lnwire.NewRawFeatureVector(), lnwire.NewRawFeatureVector(lnwire.DataLossProtectRequired)))
	if _, ok := a.next().(*lnwire.Init); !ok {
		a.t.Error("script: no init from the client")
	}
}

func reestablish(id channel.ID, nc, nr uint64) *lnwire.ChannelReestablish {
	r := &lnwire.ChannelReestablish{
		ChanID: lnwire.ChannelID(id), NextLocalCommitHeight: nc, RemoteCommitTailHeight: nr,
		LocalUnrevokedCommitPoint: theirKey.PubKey(),
	}
	if nr > 0 {
		r.LastRemoteCommitSecret = testSecret(nr - 1)
	}
	return r
}

func errorFor(id channel.ID, text string) *lnwire.Error {
	return &lnwire.Error{ChanID: lnwire.ChannelID(id), Data: []byte(text)}
}

func warningFor(id channel.ID, text string) *lnwire.Warning {
	return &lnwire.Warning{ChanID: lnwire.ChannelID(id), Data: []byte(text)}
}

// peerStorage is peer_storage_retrieval with its length field as given.
func peerStorage(length int, blob []byte) []byte {
	msg := binary.BigEndian.AppendUint16(nil, msgPeerStorageRetrieval)
	return append(binary.BigEndian.AppendUint16(msg, uint16(length)), blob...)
}

// stage runs a script for each connection and reports what the client sent in
// the last one.
type stage struct {
	target  Target
	mu      sync.Mutex
	last    *actor
	running int
	idle    *sync.Cond // running is 0
}

func (st *stage) enter(a *actor) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.last = a
	st.running++
}

func (st *stage) leave() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.running--
	st.idle.Broadcast()
}

func perform(t *testing.T, script func(*actor)) *stage {
	t.Helper()
	l, err := brontide.NewListener(theirKey, "127.0.0.1:0", func(*btcec.PublicKey) (bool, error) { return true, nil })
	if err != nil {
		t.Fatal(err)
	}
	st := &stage{target: Target{Node: channel.PubKeyOf(theirKey.PubKey()), Address: addressOf(t, l.Addr())}}
	st.idle = sync.NewCond(&st.mu)
	var accept sync.WaitGroup
	accept.Add(1)
	go func() {
		defer accept.Done()
		for {
			c, err := l.Accept()
			if isClosed(err) {
				return
			}
			if err != nil {
				continue
			}
			a := &actor{t: t, conn: c.(*brontide.Conn)}
			st.enter(a)
			go func() {
				defer st.leave()
				defer c.Close()
				script(a)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		accept.Wait()
		st.told()
	})
	return st
}

// isClosed knows lnd's listener by its words: it has no typed error.
func isClosed(err error) bool { return err != nil && err.Error() == "brontide connection closed" }

func addressOf(t *testing.T, a net.Addr) Address {
	t.Helper()
	addr, err := ParseAddress(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// told waits for the script's end and returns what the client sent on channels.
func (st *stage) told() []lnwire.MessageType {
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.running > 0 {
		st.idle.Wait()
	}
	if st.last == nil {
		return nil
	}
	return st.last.heard
}

func client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{Key: ourKey, Timeouts: quick()}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testCtx(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// yes is a Decide that always goes on.
func yes(Reestablish) (bool, string) { return true, "" }
