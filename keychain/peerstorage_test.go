package keychain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// emergency is a file that a real lightningd wrote, and what it said.
type emergency struct {
	File string   `json:"file"`
	SCB  []string `json:"scb"`
}

func readEmergency(t *testing.T) (file []byte, scb [][]byte) {
	t.Helper()
	raw, err := os.ReadFile("../testdata/emergency_recover.json")
	if err != nil {
		t.Fatal(err)
	}
	var e emergency
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	if file, err = hex.DecodeString(e.File); err != nil {
		t.Fatal(err)
	}
	for _, text := range e.SCB {
		entry, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		scb = append(scb, entry)
	}
	return file, scb
}

func TestARealNodesEncryptedBackupOpens(t *testing.T) {
	file, scb := readEmergency(t)
	secret, err := Load("../testdata/corpus/three-peers/hsm_secret.hex", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Wipe()
	plain, err := secret.OpenPeerStorage(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(plain)%16 == 0 {
		t.Error("the message fills its last block: the padding is not tested")
	}
	for i, entry := range scb {
		if !bytes.Contains(plain, entry) {
			t.Errorf("entry %d of staticbackup is not in it", i)
		}
	}
	for _, at := range []int{0, 23, 24, 25, len(file) / 2, len(file) - 1} {
		bad := bytes.Clone(file)
		bad[at] ^= 1
		if _, err := secret.OpenPeerStorage(bad); !errors.Is(err, ErrPeerStorage) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	for _, bad := range [][]byte{nil, file[:40], make([]byte, MaxPeerStorage+1)} {
		if _, err := secret.OpenPeerStorage(bad); !errors.Is(err, ErrPeerStorage) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	other, err := Load("../testdata/corpus/stale/hsm_secret.hex", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Wipe()
	if _, err := other.OpenPeerStorage(file); !errors.Is(err, ErrPeerStorage) {
		t.Errorf("another node's secret: %v", err)
	}
}
