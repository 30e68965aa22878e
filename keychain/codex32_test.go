package keychain

import (
	"bytes"
	"strings"
	"testing"
)

// BIP 93, test vector 4.
const (
	codexVector = "ms10leetsllhdmn9m42vcsamx24zrxgs3qrl7ahwvhw4fnzrhve25gvezzyqqtum9pgv99ycma"
	codexSeed   = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

func TestCodex32IsThatOfBIP93AndOfLightningHsmtool(t *testing.T) {
	for _, c := range []struct{ prefix, id, secret, want string }{
		{"ms", "leet", codexSeed, codexVector},
		// lightning-hsmtool getsecret, v26.06.6.
		{"cl", "glre", "79cfd7d292cf8b21bd974d039ae6f386cae62505a96c71b59c2e4b4e597dca79", "cl10glres088a055je79jr0vhf5pe4ehnsm9wvfg949k8rdvu9e95uktaefus0k3fex0ny80r0"},
		{"cl", "leet", "79cfd7d292cf8b21bd974d039ae6f386cae62505a96c71b59c2e4b4e597dca79", "cl10leets088a055je79jr0vhf5pe4ehnsm9wvfg949k8rdvu9e95uktaefus3cfugwvplc3ny"},
	} {
		secret := unhex(t, c.secret)
		if got := encodeCodex32(c.prefix, c.id, secret); got != c.want {
			t.Errorf("encoded %s, want %s", got, c.want)
		}
		for _, text := range []string{c.want, strings.ToUpper(c.want)} {
			got, err := decodeCodex32(c.prefix, []byte(text))
			if err != nil || !bytes.Equal(got, secret) {
				t.Errorf("decoded %x, %v", got, err)
			}
		}
	}
}

// The sixteen paddings of BIP 93's test vector 4: the same secret.
func TestCodex32DiscardsThePadding(t *testing.T) {
	for _, text := range []string{
		"ms10leetsllhdmn9m42vcsamx24zrxgs3qrl7ahwvhw4fnzrhve25gvezzyqpj82dp34u6lqtd",
		"ms10leetsllhdmn9m42vcsamx24zrxgs3qrl7ahwvhw4fnzrhve25gvezzyqzsrs4pnh7jmpj5",
		"ms10leetsllhdmn9m42vcsamx24zrxgs3qrl7ahwvhw4fnzrhve25gvezzyq0pgjxpzx0ysaam",
	} {
		got, err := decodeCodex32("ms", []byte(text))
		if err != nil || !bytes.Equal(got, unhex(t, codexSeed)) {
			t.Errorf("%s: %x, %v", text, got, err)
		}
	}
}

func TestCodex32FindsEveryChangedCharacter(t *testing.T) {
	for i := range codexVector {
		for _, c := range []byte("qp7Q1b") {
			if codexVector[i] == c || strings.EqualFold(codexVector, codexVector[:i]+string(c)+codexVector[i+1:]) {
				continue
			}
			if _, err := decodeCodex32("ms", []byte(codexVector[:i]+string(c)+codexVector[i+1:])); err == nil {
				t.Fatalf("a %c at %d was accepted", c, i)
			}
		}
	}
	for name, text := range map[string]string{
		"another prefix":  codexVector,
		"128-bit secret":  "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw",
		"mixed case":      "ms10LEET" + codexVector[8:],
		"a character off": codexVector[:len(codexVector)-1],
		"nothing":         "",
	} {
		prefix := "ms"
		if name == "another prefix" {
			prefix = "cl"
		}
		if _, err := decodeCodex32(prefix, []byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	// A share with a right checksum is no secret.
	share := "2leeta"
	data := make([]byte, 0, codexDataSize)
	for _, c := range []byte(share) {
		data = append(data, byte(strings.IndexByte(bech32Alphabet, c)))
	}
	data = append(data, toSymbols(unhex(t, codexSeed))...)
	r := checksumOf("ms", data)
	for _, s := range codexTarget {
		r.add(s)
	}
	var text strings.Builder
	for _, s := range append(data, r[:]...) {
		text.WriteByte(bech32Alphabet[s])
	}
	if _, err := decodeCodex32("ms", []byte("ms1"+text.String())); err == nil {
		t.Error("a share was accepted as a secret")
	}
}

func FuzzCodex32DecodesOnlyWhatItEncodes(f *testing.F) {
	f.Add([]byte(codexVector))
	f.Add([]byte(strings.ToUpper(codexVector)))
	f.Add([]byte("ms1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		secret, err := decodeCodex32("ms", text)
		if err != nil {
			return
		}
		again := encodeCodex32("ms", strings.ToLower(string(text[4:8])), secret)
		// All but padding and checksum is determined.
		if want := strings.ToLower(string(text)); again[:len(again)-checksumSize-1] != want[:len(want)-checksumSize-1] {
			t.Fatalf("decoded %s, encoded %s", want, again)
		}
	})
}
