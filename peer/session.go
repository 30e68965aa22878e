package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/lightningnetwork/lnd/brontide"
	"github.com/lightningnetwork/lnd/lnwire"
)

// Bounds on one session; an honest peer stays far below. BOLT 8 itself bounds a
// message at 65,535 bytes.
const (
	maxMessages = 20_000
	maxBytes    = 32 << 20
	maxPongs    = 32
)

// ending is the error with which a session ends through the peer's or the
// network's doing.
type ending struct {
	result Result
	reason string
}

func (e *ending) Error() string { return string(e.result) + ": " + e.reason }

func endf(result Result, format string, args ...any) *ending {
	return &ending{result: result, reason: fmt.Sprintf(format, args...)}
}

// errTimeout says that a step's time is up; what that means depends on the step.
var errTimeout = errors.New("time is up")

// session is one connection after init has been exchanged. One goroutine reads;
// everything else happens in the caller's.
type session struct {
	conn     net.Conn
	machine  *brontide.Machine
	timeouts Timeouts

	in     chan inbound // closed by the reader when the connection is over
	end    error        // why; set before in is closed
	quit   chan struct{}
	reader sync.WaitGroup
	unhook func() bool

	// alive is set by any message after init.
	alive bool
	pongs int
}

// open dials, shakes hands and exchanges init. The error is an *ending, or the
// context's, or matches ErrArgument, or is the node key's own.
func (c *Client) open(ctx context.Context, t Target, heard *Heard) (*session, error) {
	if err := t.Address.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	node, err := t.Node.Point()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	timeouts := c.timeouts
	if c.dialer.proxied(t.Address) {
		timeouts = timeouts.times(proxyFactor)
	}

	dialCtx, cancel := context.WithTimeout(ctx, timeouts.Dial)
	conn, err := c.dialer.dial(dialCtx, t.Address)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, endf(Unreachable, "%s", printableError(err))
	}

	s := &session{
		conn:     conn,
		machine:  brontide.NewBrontideMachine(true, c.key, node),
		timeouts: timeouts,
		in:       make(chan inbound),
		quit:     make(chan struct{}),
		unhook:   context.AfterFunc(ctx, func() { _ = conn.Close() }),
	}
	err = s.handshake()
	if err == nil {
		s.reader.Add(1)
		go s.readLoop()
		err = s.exchangeInit(ctx, heard)
	}
	if err != nil {
		s.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

// close hangs up and waits for the reader.
func (s *session) close() {
	s.unhook()
	close(s.quit)
	_ = s.conn.Close()
	s.reader.Wait()
	s.machine = nil
}

// handshake is BOLT 8 as initiator. lnd's own brontide.Dial fixes its time limit
// and hides why it failed.
func (s *session) handshake() error {
	if err := s.conn.SetDeadline(time.Now().Add(s.timeouts.Handshake)); err != nil {
		return endf(Unreachable, "%s", printableError(err))
	}
	one, err := s.machine.GenActOne()
	if err != nil {
		return fmt.Errorf("peer: handshake: %w", err)
	}
	if _, err := s.conn.Write(one[:]); err != nil {
		return s.handshakeLost(err)
	}
	var two [brontide.ActTwoSize]byte
	if _, err := io.ReadFull(s.conn, two[:]); err != nil {
		return s.handshakeLost(err)
	}
	if err := s.machine.RecvActTwo(two); err != nil {
		return endf(WrongKey, "its answer to the handshake does not prove the node's key")
	}
	three, err := s.machine.GenActThree()
	if err != nil {
		return fmt.Errorf("peer: node key: %w", err)
	}
	if _, err := s.conn.Write(three[:]); err != nil {
		return s.handshakeLost(err)
	}
	return s.conn.SetDeadline(time.Time{})
}

// handshakeLost tells a peer that says nothing from one that hangs up: a node
// with another key can't read act one and has no other answer (BOLT 8).
func (s *session) handshakeLost(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return endf(Silent, "no answer to the handshake")
	}
	return endf(WrongKey, "it hung up during the handshake, as a node with another key does")
}

// exchangeInit sends our init and waits for the peer's. BOLT 1: nothing else may
// come before, but a refusal does.
func (s *session) exchangeInit(ctx context.Context, heard *Heard) error {
	init := lnwire.NewInitMessage(lnwire.NewRawFeatureVector(), ourFeatures())
	err := s.send(init)
	if err != nil && !errors.Is(err, errHungUp) {
		return err
	}
	// A peer that refuses us may have said why and hung up already.
	err = s.read(ctx, time.Now().Add(s.timeouts.Init), heard, func(in inbound) (bool, error) {
		switch {
		case in.init:
			return true, nil
		case in.said != nil && in.said.Kind == SaidError:
			return false, endf(Refused, "%s", in.said.Text)
		case in.reestablish != nil, in.storage != nil:
			return false, endf(Garbage, "it spoke before init")
		}
		return false, nil
	})
	s.alive = false
	if errors.Is(err, errTimeout) {
		return endf(Silent, "no init")
	}
	return err
}

// send writes one message. If the connection is gone it returns errHungUp; what
// the peer said before may still be waiting to be read.
func (s *session) send(msg lnwire.Message) error {
	raw, err := encode(msg)
	if err != nil {
		return fmt.Errorf("peer: encode: %w", err)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeouts.Write)); err != nil {
		return errHungUp
	}
	if err := s.machine.WriteMessage(raw); err != nil {
		return fmt.Errorf("peer: encrypt: %w", err)
	}
	if _, err := s.machine.Flush(s.conn); err != nil {
		return errHungUp
	}
	return nil
}

// errHungUp is the one ending without a message: the connection is gone.
var errHungUp = endf(Evicted, "the connection was closed by the other end")

// readLoop hands every message on until the connection ends.
func (s *session) readLoop() {
	defer s.reader.Done()
	defer close(s.in)
	bytes := 0
	for range maxMessages {
		length, err := s.machine.ReadHeader(s.conn)
		if err != nil {
			s.end = lost(err)
			return
		}
		if bytes += int(length); bytes > maxBytes {
			break
		}
		payload, err := s.machine.ReadBody(s.conn, make([]byte, length))
		if err != nil {
			s.end = lost(err)
			return
		}
		in, err := parse(payload)
		if err != nil {
			s.end = endf(Garbage, "%s", printableError(err))
			return
		}
		select {
		case s.in <- in:
		case <-s.quit:
			s.end = errHungUp
			return
		}
	}
	s.end = endf(Garbage, "it never stops sending")
}

// lost tells a closed connection from bytes that don't decrypt.
func lost(err error) error {
	var network net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return errHungUp
	}
	return endf(Garbage, "what it sent does not decrypt")
}

// read keeps what comes in heard until done says so (nil), its error, the
// deadline (errTimeout), the connection's end (*ending) or the context's. Pings
// are answered on the way.
func (s *session) read(ctx context.Context, deadline time.Time, heard *Heard, done func(inbound) (bool, error)) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		var in inbound
		var open bool
		select {
		case in, open = <-s.in:
		case <-timer.C:
			return errTimeout
		case <-ctx.Done():
			return ctx.Err()
		}
		if !open {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return s.end
		}
		s.alive = true
		heard.note(in)
		if in.pong != nil && s.pongs < maxPongs {
			s.pongs++
			// If this fails, reading ends as well, after what is
			// still waiting to be read.
			_ = s.send(in.pong)
		}
		if ok, err := done(in); ok || err != nil {
			return err
		}
	}
}

// ping asks for a pong, to tell a peer that has nothing to say about our
// channels from one that says nothing at all.
func (s *session) ping() { _ = s.send(lnwire.NewPing(1)) }
