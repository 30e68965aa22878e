package chain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEndpointIsFoundAsBitcoinCliFindsIt(t *testing.T) {
	tests := map[string]struct {
		options Options
		conf    string
		want    endpoint // cookie relative to the data directory
	}{
		"defaults":  {Options{Network: "regtest"}, "", endpoint{addr: "127.0.0.1:18443", cookie: "regtest/.cookie"}},
		"main":      {Options{Network: "bitcoin"}, "", endpoint{addr: "127.0.0.1:8332", cookie: ".cookie"}},
		"testnet":   {Options{Network: "testnet"}, "", endpoint{addr: "127.0.0.1:18332", cookie: "testnet3/.cookie"}},
		"signet":    {Options{Network: "signet"}, "", endpoint{addr: "127.0.0.1:38332", cookie: "signet/.cookie"}},
		"lightning": {Options{Network: "regtest", Connect: "10.0.0.1", Port: "7", User: "u", Password: "p"}, "", endpoint{addr: "10.0.0.1:7", user: "u", pass: "p"}},
		"host with port": {
			Options{Network: "regtest", Connect: "node.local:7"},
			"",
			endpoint{addr: "node.local:7", cookie: "regtest/.cookie"},
		},
		"IPv6":                 {Options{Network: "regtest", Connect: "[::1]"}, "", endpoint{addr: "[::1]:18443", cookie: "regtest/.cookie"}},
		"IPv6 bare":            {Options{Network: "regtest", Connect: "::1"}, "", endpoint{addr: "[::1]:18443", cookie: "regtest/.cookie"}},
		"conf":                 {Options{Network: "regtest"}, "rpcuser=u\nrpcpassword = p # x\n", endpoint{addr: "127.0.0.1:18443", user: "u", pass: "p"}},
		"conf password only":   {Options{Network: "regtest", User: "me"}, "rpcuser=u\nrpcpassword=p", endpoint{addr: "127.0.0.1:18443", user: "me", pass: "p"}},
		"conf section":         {Options{Network: "regtest"}, "rpcport=1\n[main]\nrpcport=2\n[regtest]\nrpcport=3\nrpcport=4\n", endpoint{addr: "127.0.0.1:3", cookie: "regtest/.cookie"}},
		"conf prefix":          {Options{Network: "regtest"}, "regtest.rpcport=5\nmain.rpcport=6\n", endpoint{addr: "127.0.0.1:5", cookie: "regtest/.cookie"}},
		"global port is main":  {Options{Network: "regtest"}, "rpcport=1\n", endpoint{addr: "127.0.0.1:18443", cookie: "regtest/.cookie"}},
		"global port for main": {Options{Network: "main"}, "rpcport=1\n", endpoint{addr: "127.0.0.1:1", cookie: ".cookie"}},
		"cookie file":          {Options{Network: "regtest"}, "rpccookiefile=c\n", endpoint{addr: "127.0.0.1:18443", cookie: "regtest/c"}},
		"user without password": {
			Options{Network: "regtest", User: "u"},
			"",
			endpoint{addr: "127.0.0.1:18443", cookie: "regtest/.cookie"},
		},
		"noise": {Options{Network: "regtest"}, "# rpcpassword=x\nserver\n[\n=\n", endpoint{addr: "127.0.0.1:18443", cookie: "regtest/.cookie"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tt.options.DataDir = dir
			if tt.conf != "" {
				if err := os.WriteFile(filepath.Join(dir, "bitcoin.conf"), []byte(tt.conf), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := tt.options.resolve()
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.cookie != "" {
				tt.want.cookie = filepath.Join(dir, tt.want.cookie)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestOptionsComeFromLightningdsSettings(t *testing.T) {
	got := OptionsFromConfigs("regtest", map[string]string{
		"bitcoin-rpcuser": "u", "bitcoin-rpcpassword": "p", "bitcoin-rpcport": "1",
		"bitcoin-rpcconnect": "h", "bitcoin-datadir": "/d", "bitcoin-retry-timeout": "60",
	})
	want := Options{Network: "regtest", Connect: "h", Port: "1", User: "u", Password: "p", DataDir: "/d"}
	if got != want {
		t.Error("a setting was lost")
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	if _, err := NewBitcoind(Options{Network: "liquid"}); err == nil {
		t.Error("unknown network taken")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "bitcoin.conf")
	if err := os.Mkdir(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := NewBitcoind(Options{Network: "regtest", DataDir: dir}); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("directory as bitcoin.conf: %v", err)
	}
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, make([]byte, maxConf+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewBitcoind(Options{Network: "regtest", DataDir: dir}); err == nil {
		t.Error("huge bitcoin.conf taken")
	}
	cookie := filepath.Join(dir, "c")
	if err := os.WriteFile(cookie, []byte("no colon s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (endpoint{cookie: cookie}).login(); !errors.Is(err, ErrNoCredentials) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("cookie that is none: %v", err)
	}
}
