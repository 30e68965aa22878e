// Command glr-testplugin is a lightningd plugin for the scenarios. Its parts
// are switched on by environment variables:
//
//	GLR_TEST_PEERS=FILE       record each peer that connects, as Greenlight's
//	                          node does, for the genuine signer to read
//	GLR_TEST_PEERS_OMIT=FILE  node ids, one a line, that are not recorded
//	GLR_TEST_HOLD=FILE        keep each HTLC while FILE exists
//	GLR_TEST_ZEROCONF=1       accept channels without confirmation
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "glr-testplugin:", err)
		os.Exit(1)
	}
}

type plugin struct {
	mu  sync.Mutex
	out *json.Encoder
	// seen counts each peer's connections: a changed record is a new one.
	seen map[string]*peer
}

// peer is what the genuine signer's stand-in reads of a peer.
type peer struct {
	Addr      string `json:"addr"`
	Direction string `json:"direction"`
	Features  string `json:"features"`
	Seq       int    `json:"seq"`
}

func serve(in io.Reader, out io.Writer) error {
	p := &plugin{out: json.NewEncoder(out), seen: map[string]*peer{}}
	dec := json.NewDecoder(in)
	for {
		var r request
		if err := dec.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if len(r.ID) == 0 {
			continue
		}
		switch r.Method {
		case "getmanifest":
			p.answer(r.ID, manifest())
		case "peer_connected":
			if err := p.record(r.Params); err != nil {
				return err
			}
			p.answer(r.ID, carryOn)
		case "htlc_accepted":
			go p.hold(r.ID)
		case "openchannel":
			p.answer(r.ID, map[string]any{"result": "continue", "mindepth": 0})
		default:
			p.answer(r.ID, map[string]any{})
		}
	}
}

var carryOn = map[string]any{"result": "continue"}

func manifest() map[string]any {
	hooks := []map[string]string{}
	for env, hook := range map[string]string{
		"GLR_TEST_PEERS": "peer_connected", "GLR_TEST_HOLD": "htlc_accepted", "GLR_TEST_ZEROCONF": "openchannel",
	} {
		if os.Getenv(env) != "" {
			hooks = append(hooks, map[string]string{"name": hook})
		}
	}
	return map[string]any{
		"options": []any{}, "rpcmethods": []any{}, "subscriptions": []any{},
		"hooks": hooks, "dynamic": true, "nonnumericids": true,
	}
}

func (p *plugin) answer(id json.RawMessage, result any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A broken pipe shows at the next read.
	_ = p.out.Encode(map[string]any{"jsonrpc": "2.0", "id": id, "result": result})
}

// hold answers when the file has gone.
func (p *plugin) hold(id json.RawMessage) {
	for {
		if _, err := os.Stat(os.Getenv("GLR_TEST_HOLD")); err != nil {
			p.answer(id, carryOn)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *plugin) record(params json.RawMessage) error {
	var event struct {
		Peer struct {
			ID string `json:"id"`
			peer
		} `json:"peer"`
	}
	if err := json.Unmarshal(params, &event); err != nil {
		return err
	}
	omitted, err := os.ReadFile(os.Getenv("GLR_TEST_PEERS_OMIT"))
	if err == nil && slices.Contains(strings.Fields(string(omitted)), event.Peer.ID) {
		return nil
	}
	rec := event.Peer.peer
	if before := p.seen[event.Peer.ID]; before != nil {
		rec.Seq = before.Seq
	}
	rec.Seq++
	p.seen[event.Peer.ID] = &rec
	raw, err := json.Marshal(p.seen)
	if err != nil {
		return err
	}
	// Renamed into place: the reader never sees half a file.
	path := os.Getenv("GLR_TEST_PEERS")
	if err := os.WriteFile(path+".tmp", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
