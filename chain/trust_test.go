package chain

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBitcoindOverTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "alice" || pass != "hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"result":"` + strings.Repeat("0", 63) + `1","error":null,"id":1}`))
	}))
	defer srv.Close()
	dir := t.TempDir()
	cert := filepath.Join(dir, "cert")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(cert, block, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Network: "regtest", Connect: srv.URL, User: "alice", Password: "hunter2", DataDir: dir}
	hash := func() error {
		b, err := NewBitcoind(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.BlockHash(bg, 1)
		return err
	}
	if err := hash(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("an unknown certificate: %v", err)
	}
	o.Cert = cert
	if err := hash(); err != nil {
		t.Errorf("its own certificate: %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "empty")} {
		o.Cert = path
		if _, err := NewBitcoind(o); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", path, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
