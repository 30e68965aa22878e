package harness

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/brontide"
	lndkeychain "github.com/lightningnetwork/lnd/keychain"
	"github.com/lightningnetwork/lnd/lnwire"
)

// Impostor stands at a stopped node's address with that node's own key, and
// says to whoever dials what its script says: the peer that nobody hopes to
// meet.
type Impostor struct {
	t        TB
	listener *brontide.Listener

	mu    sync.Mutex
	calls []*Caller
	over  bool
	act   func(*Caller)
	done  sync.WaitGroup
}

// Caller is one connection to an Impostor. Its methods ignore that the other
// end hung up.
type Caller struct {
	conn *brontide.Conn
}

// Impersonate begins to listen in the place of n, which must not run. It ends
// with Leave, or with the net.
func (n *CLN) Impersonate(act func(*Caller)) *Impostor {
	t := n.net.T
	t.Helper()
	key := hkdfKey(t, n.Secret[:], make([]byte, 4), "nodeid", 32)
	priv, pub := btcec.PrivKeyFromBytes(key)
	if id := hex.EncodeToString(pub.SerializeCompressed()); id != n.ID {
		t.Fatalf("harness: %s has node id %s, its secret gives %s", n.Name, n.ID, id)
	}
	i := &Impostor{t: t, act: act}
	Wait(t, n.Name+"'s port", func() (err error) {
		i.listener, err = brontide.NewListener(&lndkeychain.PrivKeyECDH{PrivKey: priv}, n.Address(),
			func(*btcec.PublicKey) (bool, error) { return true, nil })
		return err
	})
	i.done.Add(1)
	go i.accept()
	t.Cleanup(i.Leave)
	return i
}

func (i *Impostor) accept() {
	defer i.done.Done()
	for {
		conn, err := i.listener.Accept()
		i.mu.Lock()
		if i.over {
			i.mu.Unlock()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		if err == nil {
			c := &Caller{conn: conn.(*brontide.Conn)}
			i.calls = append(i.calls, c)
			act := i.act
			i.done.Add(1)
			go func() {
				defer i.done.Done()
				defer c.conn.Close()
				act(c)
			}()
		}
		i.mu.Unlock()
	}
}

// Turn changes the script for connections to come and ends the present ones.
func (i *Impostor) Turn(act func(*Caller)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.act = act
	for _, c := range i.calls {
		_ = c.conn.Close()
	}
}

// Calls is how many connections there were.
func (i *Impostor) Calls() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.calls)
}

// Leave ends all connections and frees the address.
func (i *Impostor) Leave() {
	i.mu.Lock()
	over := i.over
	i.over = true
	for _, c := range i.calls {
		_ = c.conn.Close()
	}
	i.mu.Unlock()
	if !over {
		_ = i.listener.Close()
	}
	i.done.Wait()
}

// callerPatience bounds one read: a script never waits for ever.
const callerPatience = 2 * time.Minute

// Send sends messages.
func (c *Caller) Send(messages ...lnwire.Message) {
	for _, m := range messages {
		var buf bytes.Buffer
		if _, err := lnwire.WriteMessage(&buf, m, 0); err == nil {
			c.SendRaw(buf.Bytes())
		}
	}
}

// SendRaw sends bytes as one message, whatever they are.
func (c *Caller) SendRaw(payload []byte) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if c.conn.WriteMessage(payload) == nil {
		_, _ = c.conn.Flush()
	}
}

// Next is the next message that is no ping or pong, nil at the end. Pings are
// answered.
func (c *Caller) Next() lnwire.Message {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(callerPatience))
		raw, err := c.conn.ReadNextMessage()
		if err != nil {
			return nil
		}
		msg, err := lnwire.ReadMessage(bytes.NewReader(raw), 0)
		if err != nil {
			continue // lightningd's own messages that lnwire does not know
		}
		switch m := msg.(type) {
		case *lnwire.Ping:
			c.Send(lnwire.NewPong(make([]byte, m.NumPongBytes)))
		case *lnwire.Pong:
		default:
			return msg
		}
	}
}

// Drain reads to the end of the connection.
func (c *Caller) Drain() {
	for c.Next() != nil {
	}
}

// Init exchanges init.
func (c *Caller) Init() {
	c.Send(lnwire.NewInitMessage(lnwire.NewRawFeatureVector(), lnwire.NewRawFeatureVector(
		lnwire.DataLossProtectRequired, lnwire.StaticRemoteKeyRequired, lnwire.AnchorsZeroFeeHtlcTxOptional,
		lnwire.TLVOnionPayloadOptional, lnwire.PaymentAddrOptional, lnwire.ExplicitChannelTypeOptional)))
	c.Next()
}

// Held is what a backup holds of one channel, as far as a peer's numbers go.
type Held struct {
	DBID      uint64
	ChannelID [32]byte
	// The next commitment numbers of the node, of the peer, and the peer's next
	// revocation.
	Holder, Counterparty, Revoked uint64

	peer string
}

// Held reads the one channel that the backup has with the peer.
func (b Backup) Held(t TB, n *CLN, peer Node) Held {
	t.Helper()
	var file struct {
		State struct {
			Values map[string][]json.RawMessage `json:"values"`
		} `json:"state"`
	}
	if err := json.Unmarshal(b.Bytes(t), &file); err != nil {
		t.Fatalf("%v", err)
	}
	for key, v := range file.State.Values {
		rest, ok := strings.CutPrefix(key, "channels/"+n.ID+peer.NodeID())
		if !ok || len(v) < 2 {
			continue
		}
		raw, err := hex.DecodeString(rest)
		if err != nil || len(raw) != 8 {
			t.Fatalf("harness: key %s", key)
		}
		var entry struct {
			Setup struct {
				Outpoint Outpoint `json:"funding_outpoint"`
			} `json:"channel_setup"`
			State struct {
				Holder       uint64 `json:"next_holder_commit_num"`
				Counterparty uint64 `json:"next_counterparty_commit_num"`
				Revoked      uint64 `json:"next_counterparty_revoke_num"`
			} `json:"enforcement_state"`
		}
		if err := json.Unmarshal(v[1], &entry); err != nil {
			t.Fatalf("%v", err)
		}
		held := Held{
			DBID: binary.LittleEndian.Uint64(raw), Holder: entry.State.Holder,
			Counterparty: entry.State.Counterparty, Revoked: entry.State.Revoked, peer: peer.NodeID(),
		}
		txid, err := hex.DecodeString(entry.Setup.Outpoint.Txid)
		if err != nil || len(txid) != 32 {
			t.Fatalf("harness: funding of %s", key)
		}
		// BOLT 2: the channel id is the txid with its last two bytes XORed
		// with the output's index.
		copy(held.ChannelID[:], txid)
		held.ChannelID[30] ^= byte(entry.Setup.Outpoint.Vout >> 8)
		held.ChannelID[31] ^= byte(entry.Setup.Outpoint.Vout)
		return held
	}
	t.Fatalf("harness: the backup has no channel with %s", peer.NodeName())
	return Held{}
}

// Reestablish is the channel_reestablish with these numbers of an honest peer
// of the node: it has the secret of ours that its numbers say it has.
func (n *CLN) Reestablish(held Held, nextCommitment, nextRevocation uint64) *lnwire.ChannelReestablish {
	t := n.net.T
	t.Helper()
	_, point := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	r := &lnwire.ChannelReestablish{
		ChanID: held.ChannelID, NextLocalCommitHeight: nextCommitment, RemoteCommitTailHeight: nextRevocation,
		LocalUnrevokedCommitPoint: point,
	}
	if nextRevocation > 0 {
		r.LastRemoteCommitSecret = n.commitmentSecret(held, nextRevocation-1)
	}
	return r
}

// commitmentSecret is the node's revocation secret of its commitment number,
// derived as lightningd's own hsmd does (hsmd/libhsmd.c).
func (n *CLN) commitmentSecret(held Held, number uint64) [32]byte {
	t := n.net.T
	t.Helper()
	peer, err := hex.DecodeString(held.peer)
	if err != nil {
		t.Fatalf("%v", err)
	}
	base := hkdfKey(t, n.Secret[:], nil, "peer seed", 32)
	seed := hkdfKey(t, base, binary.LittleEndian.AppendUint64(peer, held.DBID), "per-peer seed", 32)
	keys := hkdfKey(t, seed, nil, "c-lightning", 192)
	return shachain([32]byte(keys[160:]), number)
}

// shachain is the revocation secret of a commitment number (BOLT 3).
func shachain(secret [32]byte, number uint64) [32]byte {
	index := uint64(1)<<48 - 1 - number
	for bit := 47; bit >= 0; bit-- {
		if index>>bit&1 == 1 {
			secret[bit/8] ^= 1 << (bit % 8)
			secret = sha256.Sum256(secret[:])
		}
	}
	return secret
}

func hkdfKey(t TB, secret, salt []byte, info string, size int) []byte {
	t.Helper()
	out, err := hkdf.Key(sha256.New, secret, salt, info, size)
	if err != nil {
		t.Fatalf("hkdf: %v", err)
	}
	return out
}
