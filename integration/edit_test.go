package integration

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// corpus is a genuine backup that is shipped with the project.
type corpus struct {
	secret h.Secret
	path   string
	raw    []byte
}

func openCorpus(t *testing.T, name string) corpus {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "testdata", "corpus", name))
	if err != nil {
		t.Fatal(err)
	}
	c := corpus{path: filepath.Join(dir, "backup.json")}
	if c.raw, err = os.ReadFile(c.path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != len(c.secret) {
		t.Fatalf("%s: bad secret", name)
	}
	copy(c.secret[:], secret)
	return c
}

// document is a backup's JSON, to be changed. Numbers keep all their digits.
type document map[string]any

func parse(t *testing.T, raw []byte) document {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var d document
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d document) values() map[string]any {
	return d["state"].(map[string]any)["values"].(map[string]any)
}

// channelKeys lists the channels' keys in the order of their dbids.
func (d document) channelKeys() []string {
	byDBID := map[string]string{}
	for k := range d.values() {
		if strings.HasPrefix(k, "channels/") {
			byDBID[k[len(k)-16:]] = k
		}
	}
	var keys []string
	for i := range 64 {
		if k, ok := byDBID[dbidHex(uint64(i))]; ok {
			keys = append(keys, k)
		}
	}
	return keys
}

func dbidHex(dbid uint64) string {
	raw := make([]byte, 8)
	for i := range raw {
		raw[i] = byte(dbid >> (8 * i))
	}
	return hex.EncodeToString(raw)
}

// channel is a channel's entry; its signature is dropped, because what is
// changed is not what the signer signed.
func (d document) channel(key string) map[string]any {
	entry := d.values()[key].([]any)
	d.values()[key] = entry[:2]
	return entry[1].(map[string]any)
}

// only drops all other channels.
func (d document) only(key string) {
	for _, k := range d.channelKeys() {
		if k != key {
			delete(d.values(), k)
		}
	}
}

// redub gives a channel another dbid.
func (d document) redub(key string, dbid uint64) string {
	d.channel(key)
	entry := d.values()[key]
	delete(d.values(), key)
	key = key[:len(key)-16] + dbidHex(dbid)
	d.values()[key] = entry
	return key
}

func (d document) bytes(t *testing.T) []byte {
	t.Helper()
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
