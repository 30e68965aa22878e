package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/recovery/api"
)

// lightningd runs with a passphrase that the plugin does not know; still the
// refusal names both nodes and the mistake.
func TestAPassphraseInTheNodesOwnFileIsNamed(t *testing.T) {
	const words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	secret, err := keychain.FromBytes([]byte(words)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := secret.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	running, err := channel.ParsePubKey("0257656fbe3a0b08122576b3143068104341e80f2c3b2edd02d268bf75606317c2")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := append(bytes.Repeat([]byte{1}, 32), words...)
	if err := os.WriteFile(filepath.Join(dir, "hsm_secret"), file, 0o400); err != nil {
		t.Fatal(err)
	}
	f := diagnose(t.Context(), api.Node{LightningDir: dir}, running, want)
	if f == nil || f.Name != failure.WrongNode {
		t.Fatalf("got %v", f)
	}
	for _, text := range []string{"adds a passphrase", want.String(), running.String()} {
		if !strings.Contains(f.Error(), text) {
			t.Errorf("%v does not say %s", f, text)
		}
	}
}

// Nothing is said of a file that the running node does not run on.
func TestOnlyTheNodesOwnSecretIsDiagnosed(t *testing.T) {
	raw := bytes.Repeat([]byte{7}, 32)
	secret, err := keychain.FromBytes(bytes.Clone(raw)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := secret.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	other, err := channel.ParsePubKey("0257656fbe3a0b08122576b3143068104341e80f2c3b2edd02d268bf75606317c2")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("hsm_secret", raw, 0o400); err != nil {
		t.Fatal(err)
	}
	if f := diagnose(t.Context(), api.Node{}, made, other); f != nil {
		t.Errorf("the directory is unknown, and a file of the working directory was read: %v", f)
	}
	if f := diagnose(t.Context(), api.Node{LightningDir: dir}, other, made); f != nil {
		t.Errorf("the file makes the wanted node already: %v", f)
	}
}
