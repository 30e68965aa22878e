package esplora

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// history is in which blocks a script is.
type history struct {
	heights []uint32
	// upTo is the height of the best block when the server was asked.
	upTo uint32
}

// perPage is how many transactions an answer has at the most.
const perPage = 25

// Sift implements chain.Sifter with the server's index of scripts. What it has said
// of old blocks is remembered.
func (c *Client) Sift(ctx context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var first error
	found := map[uint32]bool{}
	// Asked for before the scripts are: what comes meanwhile may be missing.
	tip, _, err := c.Best(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, script := range scripts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			h, err := c.history(ctx, script, to, tip)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				first = cmp.Or(first, err)
				cancel()
				return
			}
			for _, height := range h.heights {
				if from <= height && height <= to {
					found[height] = true
				}
			}
		}()
	}
	wg.Wait()
	if first != nil {
		return nil, first
	}
	named := make([]uint32, 0, len(found))
	for height := range found {
		named = append(named, height)
	}
	slices.Sort(named)
	return named, nil
}

// maxPages bounds what is read of one script: no channel's has so many.
const maxPages = 200

// history is a script's up to a height at least.
func (c *Client) history(ctx context.Context, script []byte, to, tip uint32) (*history, error) {
	c.mu.Lock()
	h := c.histories[string(script)]
	c.mu.Unlock()
	if h != nil && h.upTo >= to {
		return h, nil
	}
	h = &history{upTo: tip}
	sum := sha256.Sum256(script)
	path := "/scripthash/" + hex.EncodeToString(sum[:]) + "/txs/chain"
	last := ""
	for range maxPages {
		var page []struct {
			Txid   string `json:"txid"`
			Status status `json:"status"`
		}
		err := c.json(ctx, &page, "%s%s", path, last)
		if err != nil && !errors.Is(err, errNotFound) {
			return nil, gone(err)
		}
		for _, tx := range page {
			if !tx.Status.Confirmed {
				return nil, c.strange("the confirmed transactions of a script")
			}
			h.heights = append(h.heights, tx.Status.Height)
		}
		if len(page) < perPage {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.histories[string(script)] = h
			return h, nil
		}
		id, err := parseHash(page[len(page)-1].Txid)
		if err != nil {
			return nil, c.strange("the transactions of a script")
		}
		last = "/" + id.String()
	}
	return nil, c.strange("the end of the transactions of a script")
}

func parseHash(s string) (chainhash.Hash, error) {
	raw, err := unhex([]byte(s))
	if err != nil || len(raw) != chainhash.HashSize {
		return chainhash.Hash{}, errors.New("no hash")
	}
	slices.Reverse(raw)
	return chainhash.Hash(raw), nil
}

func unhex(text []byte) ([]byte, error) {
	raw := make([]byte, hex.DecodedLen(len(text)))
	_, err := hex.Decode(raw, text)
	return raw, err
}
