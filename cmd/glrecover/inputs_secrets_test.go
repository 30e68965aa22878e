package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// theSeed is the 64-byte BIP39 seed of aboutWords, of which aboutSecret is the
// first half (BIP39's first vector without a passphrase).
const theSeed = aboutSecret + "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"

// hexdumpOf is what `hexdump` prints of 32 bytes.
func hexdumpOf(raw []byte) string {
	var b strings.Builder
	for i := 0; i < len(raw); i += 16 {
		fmt.Fprintf(&b, "%07x", i)
		for j := i; j < i+16; j += 2 {
			fmt.Fprintf(&b, " %02x%02x", raw[j+1], raw[j])
		}
		b.WriteString("\n")
	}
	return fmt.Sprintf("%s%07x\n", b.String(), len(raw))
}

func secretInputs(t *testing.T) inputSection {
	raw, err := hex.DecodeString(aboutSecret)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hex.DecodeString(theSeed)
	if err != nil {
		t.Fatal(err)
	}
	var (
		words    = strings.Fields(aboutWords)
		numbered string
		labels   string
		columns  string
		escaped  string
		array    []string
		xxd      = "00000000: 5eb0 0bbd dcf0 6908 4889 a8ab 9155 5681  ^.....i.H....UV.\n00000010: 65f5 c453 ccb8 5e70 811a aed6 f6da 5fc1  e..S..^p......_.\n"
		reversed = slices.Clone(raw)
	)
	slices.Reverse(reversed)
	for i, w := range words {
		numbered += fmt.Sprintf("%d. %s\n", i+1, w)
		labels += fmt.Sprintf("word %d: %s\n", i+1, w)
	}
	for i := range 6 {
		columns += fmt.Sprintf("%d. %s  %d. %s\n", i+1, words[i], i+7, words[i+6])
	}
	for _, b := range raw {
		escaped += fmt.Sprintf(`\x%02x`, b)
		array = append(array, fmt.Sprint(b))
	}
	make := []string{"hsm-secret", "--out", "OUT", "BACKUP"}
	ok := func(given string, input string) inputRow {
		return inputRow{given: given, args: make, input: []byte(input), code: exitOK}
	}
	bad := func(code int, given string, input string) inputRow {
		return inputRow{given: given, args: make, input: []byte(input), code: code}
	}
	return inputSection{
		title: "Secrets",
		text:  "The backup is of the node of BIP39's first test vector. What is written is always the same 32 bytes.",
		rows: []inputRow{
			ok("the twelve words", aboutWords),
			ok("with numbers, one in a line", numbered),
			ok("two numbered columns, copied line by line", columns),
			ok("a label before each word", labels),
			ok("commas", strings.Join(words, ", ")),
			ok("as an array of JSON", `["`+strings.Join(words, `","`)+`"]`),
			ok("after a line of one's own", "My seed phrase:\n"+aboutWords),
			ok("zero-width characters between them", strings.Join(words, " \u200b")),
			ok("64 hex digits", aboutSecret+"\n"),
			ok("0x before them", "0x"+aboutSecret),
			ok("in groups, in two lines", aboutSecret[:16]+" "+aboutSecret[16:32]+"\n"+aboutSecret[32:]),
			ok("what `xxd` prints", xxd),
			ok("what `hexdump` prints (swapped pairs)", hexdumpOf(raw)),
			ok("a member of JSON", `{"hsm_secret": "`+aboutSecret+`"}`),
			ok("base64", base64.StdEncoding.EncodeToString(raw)),
			ok(`a text of \x escapes`, escaped),
			ok("an array of byte values", "["+strings.Join(array, ", ")+"]"),
			ok("32 bytes and a line end", string(raw)+"\n"),
			ok("the 64-byte seed", string(seed)),
			ok("the 64-byte seed as hex", theSeed),
			bad(exitProblem, "the bytes in reverse order", string(reversed)),
			bad(exitProblem, "one byte more", string(raw)+"\x07"),
			bad(exitProblem, "two words exchanged", strings.Join(append(slices.Clone(words[:10]), words[11], words[10]), " ")),
			bad(exitProblem, "a word written twice", aboutWords+" about"),
			bad(exitProblem, "a word left out", strings.TrimPrefix(aboutWords, "abandon ")),
			bad(exitUnreadable, "a word that is none, and another", strings.Replace(strings.Replace(aboutWords, "abandon", "kaputt", 1), "about", "schief", 1)),
			bad(exitUnreadable, "eight words", strings.Join(words[:8], " ")),
			bad(exitProblem, "words of another node", "legal winner thank year wave sausage worth useful legal winner thank yellow"),
			bad(exitUnreadable, "24 words of lnd", "ability liquid travel stem barely drastic pact cupboard apple thrive morning oak feature tissue couch old math inform success suggest drink motion know royal"),
			bad(exitUnreadable, "31 bytes as hex", aboutSecret[:62]),
			bad(exitProblem, "hex with a digit left out", aboutSecret[:9]+aboutSecret[10:]),
			bad(exitProblem, "hex with a wrong digit", strings.Replace(aboutSecret, "b", "6", 1)),
			bad(exitProblem, "hex with letters for digits", strings.ReplaceAll(aboutSecret, "0", "O")),
			bad(exitUnreadable, "a file of gpg", "-----BEGIN PGP MESSAGE-----\n\nhQEMA1b2c3d4e5f6AQf/\n-----END PGP MESSAGE-----\n"),
			bad(exitUnreadable, "nothing", ""),
			{given: "an hsm_secret with words and a line end", args: []string{"verify", "--hsm-secret", "GIVEN", "BACKUP"}, input: []byte(strings.Repeat("\x00", 32) + aboutWords + "\n"), code: exitProblem},
		},
	}
}

func addressInputs(*testing.T) inputSection {
	row := func(given, addresses string, code int) inputRow {
		return inputRow{given: given, args: []string{"inspect", "--addresses", addresses, "PEERS"}, code: code}
	}
	return inputSection{
		title: "Addresses", show: "Address",
		text: "Of peers, in `--addresses`; the plugin's parameter `addresses` takes the same. PEERS is a backup with the peer NODE_ID.",
		rows: []inputRow{
			row("as lightning-cli connect takes it", "NODE_ID@peer.example:9735", exitOK),
			row("without a port", "NODE_ID@192.0.2.1", exitOK),
			row("with a scheme, and a blank after the comma", "tcp://NODE_ID@peer.example, ", exitOK),
			row("the older form", "NODE_ID=[2001:db8::1]:9735", exitOK),
			row("an address to listen on", "NODE_ID@0.0.0.0:9735", exitUsage),
			row("a broadcast address", "NODE_ID@255.255.255.255:9735", exitUsage),
			row("a multicast address", "NODE_ID@224.0.0.1:9735", exitUsage),
			row("IPv6 without brackets", "NODE_ID@2001:db8::1", exitUsage),
			row("an old Tor address", "NODE_ID@expyuzz4wqqyqhjn.onion:9735", exitUsage),
			row("without the peer", "peer.example:9735", exitUsage),
			row("a peer id that is none", "02ab@peer.example", exitUsage),
		},
	}
}
