package scbconv_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
)

var corpus = testdata.Corpus()

// files returns the corpus files that match a pattern below a case directory.
func files(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(corpus, "*", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, corpus, err)
	}
	return found
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// nodeSCBs are the answers of staticbackup by the real nodes of the corpus.
func nodeSCBs(t testing.TB) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	for _, path := range files(t, "node*.json") {
		var node struct {
			SCB []string `json:"staticbackup_scb"`
		}
		readJSON(t, path, &node)
		if len(node.SCB) == 0 {
			t.Fatalf("%s has no staticbackup", path)
		}
		out[path] = node.SCB
	}
	return out
}

// greenlightSCBs are what Greenlight's converter wrote for the corpus.
func greenlightSCBs(t testing.TB) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	for _, path := range files(t, "glclient-convert*.json") {
		var report scbconv.Report
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(raw, &report) == nil {
			out[path] = report.Request.SCB
		}
	}
	if len(out) < 13 {
		t.Fatalf("only %d reports in the corpus", len(out))
	}
	return out
}

func roundTrip(t *testing.T, text string) *scbconv.Entry {
	t.Helper()
	e, err := scbconv.DecodeHex(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.EncodeHex()
	if err != nil {
		t.Fatal(err)
	}
	if again != text {
		t.Fatalf("encoded again:\n%s\nwant\n%s", again, text)
	}
	return e
}

func TestEveryStaticBackupOfTheCorpusNodesComesBackTheSame(t *testing.T) {
	for path, scbs := range nodeSCBs(t) {
		for _, scb := range scbs {
			e := roundTrip(t, scb)
			if e.TLVs == nil || e.TLVs.Shachain == nil || e.TLVs.Basepoints == nil ||
				e.TLVs.Opener == nil || e.TLVs.Delay == nil {
				t.Errorf("%s: a record of lightningd's own entry was not seen", path)
			}
			if err := scbconv.Batch([]*scbconv.Entry{e})[0]; err != nil {
				t.Errorf("%s: not importable: %v", path, err)
			}
		}
	}
}

func TestEveryEntryByGreenlightComesBackTheSame(t *testing.T) {
	for _, scbs := range greenlightSCBs(t) {
		for _, scb := range scbs {
			roundTrip(t, scb)
		}
	}
}

// The only entry in CLN's documentation and tests that is real hex has the older
// form (recoverchannel's example for years); the others are placeholders.
func TestTheEntryInCLNsDocumentationComesBackTheSame(t *testing.T) {
	e := roundTrip(t, "0000000000000001c3a7b9d74a174497122bc52d74d6d69836acadc77e0429c6d8b68b48d5c9139a"+
		"022d223620a359a47ff7f7ac447c85c46c923da53389221a0054c11c1e3ca31d5904017f0000019f0b"+
		"c3a7b9d74a174497122bc52d74d6d69836acadc77e0429c6d8b68b48d5c9139a0000000000000000000186a000021000")
	if e.DBID != 1 || e.FundingSat != 100_000 || e.Address.String() != "127.0.0.1:40715" || e.TLVs != nil {
		t.Fatalf("decoded as %+v", e)
	}
	if err := scbconv.Batch([]*scbconv.Entry{e})[0]; err == nil {
		t.Fatal("an entry without basepoints may be imported")
	}
}

func TestTheDocumentationsPlaceholdersAreNamedAsSuch(t *testing.T) {
	_, err := scbconv.DecodeHex("0000000000000001channelid0340000340000340000340000340000340000340000340000340000" +
		"nodeid03030303030303030303030303030303030303030303030303030303030300017f000001")
	if err == nil || err.Error() != "not a static channel backup entry: text: not lower-case hex" {
		t.Fatalf("got %v", err)
	}
}
