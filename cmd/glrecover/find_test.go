package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glrecover/glrecover/keychain"
)

// fakeBitcoind answers what find asks; its wallet key 7 of the secret in
// hexSecret has a P2WPKH coin of 123,456 sat in block 90. User and password are
// "u" and "p". Its blocks are pruned.
func fakeBitcoind(e *testscript.Env, network, hexSecret string) (*httptest.Server, error) {
	secret, err := keychain.FromBytes([]byte(hexSecret)).Secret(nil)
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	w, err := secret.Wallet("regtest")
	if err != nil {
		return nil, err
	}
	script, _, err := w.Scripts(7)
	if err != nil {
		return nil, err
	}
	hash := strings.Repeat("ab", 32)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "u" || pass != "p" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		var q struct {
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		result := "null"
		switch q.Method {
		case "getblockchaininfo":
			result = fmt.Sprintf(`{"chain":%q,"blocks":100,"headers":100,"bestblockhash":%q}`, network, hash)
		case "getblockhash":
			result = fmt.Sprintf("%q", hash)
		case "getblock":
			fmt.Fprint(rw, `{"result":null,"error":{"code":-1,"message":"Block not available (pruned data)"},"id":"x"}`)
			return
		case "gettxspendingprevout":
			result = "[]"
		case "scantxoutset":
			if string(q.Params[0]) == `"start"` {
				result = fmt.Sprintf(`{"success":true,"height":100,"bestblock":%q,"unspents":[{"txid":%q,"vout":1,"scriptPubKey":"%x","desc":"x","amount":0.00123456,"coinbase":false,"height":90}]}`, hash, hash, script)
			}
		}
		fmt.Fprintf(rw, `{"result":%s,"error":null,"id":"x"}`, result)
	}))
	e.Defer(s.Close)
	return s, nil
}

func TestBitcoindAddress(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "127.0.0.1:18443": "127.0.0.1:18443", "localhost": "localhost",
		"http://127.0.0.1:8332": "127.0.0.1:8332", "http://[::1]:8332/": "[::1]:8332",
		"https://127.0.0.1:8334": "https://127.0.0.1:8334",
	} {
		if got, err := bitcoindAddress(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"http://alice:hunter2@127.0.0.1:8332", "alice:hunter2@127.0.0.1", "ftp://127.0.0.1", "http://", "http://h/wallet/w",
		"http://h:0", "http://h:99999", "http://alice:hunter2@%zz",
	} {
		got, err := bitcoindAddress(in)
		if err == nil {
			t.Errorf("%q: taken as %q", in, got)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is quoted: %v", err)
		}
	}
}
