package chain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Options say how to reach bitcoind. The zero value of a field means that
// bitcoin-cli's own default applies. They hold a password: no method prints it.
type Options struct {
	// Network is bitcoind's chain name or CLN's: bitcoin and main are the
	// same.
	Network string
	// Connect is a host, or host:port; loopback by default. With https:// before
	// it the RPC is spoken over TLS, as btcd does.
	Connect string
	Port    string
	User    string
	// Password is the secret; bitcoind's cookie is used where User is empty.
	Password string
	// DataDir is bitcoind's; bitcoin.conf and the cookie are looked for there.
	DataDir string
	// Cookie is a file that holds user:password, as bitcoind's cookie does; it
	// comes before every other source.
	Cookie string
	// Cert is a PEM file with the certificate that is believed over TLS; by
	// default the system's are.
	Cert string
}

// String names the host only.
func (o Options) String() string { return "bitcoind " + o.Connect }

// GoString names the host only.
func (o Options) GoString() string { return o.String() }

// OptionsFromConfigs takes the values of lightningd's bitcoin-* settings, by
// their names in listconfigs; settings that are absent keep bitcoin-cli's
// defaults.
func OptionsFromConfigs(network string, configs map[string]string) Options {
	return Options{
		Network:  network,
		Connect:  configs["bitcoin-rpcconnect"],
		Port:     configs["bitcoin-rpcport"],
		User:     configs["bitcoin-rpcuser"],
		Password: configs["bitcoin-rpcpassword"],
		DataDir:  configs["bitcoin-datadir"],
	}
}

// network is what bitcoind calls things on one chain.
type network struct {
	section string // in bitcoin.conf
	dir     string // below the data directory
	port    string
}

var networks = map[string]network{
	"main":     {"main", "", "8332"},
	"bitcoin":  {"main", "", "8332"},
	"test":     {"test", "testnet3", "18332"},
	"testnet":  {"test", "testnet3", "18332"},
	"testnet4": {"testnet4", "testnet4", "48332"},
	"signet":   {"signet", "signet", "38332"},
	"regtest":  {"regtest", "regtest", "18443"},
}

// ErrNoCredentials says that neither user and password nor a cookie file was
// found for bitcoind.
var ErrNoCredentials = errors.New("no credentials for bitcoind found")

// endpoint is where and with what to knock. Never printed.
type endpoint struct {
	addr   string // host:port
	tls    bool
	user   string
	pass   string
	cookie string // file, where user is empty
}

// resolve fills the gaps of o as bitcoin-cli does: from bitcoin.conf in the
// data directory, then from the defaults of the network.
func (o Options) resolve() (endpoint, error) {
	net0, ok := networks[o.Network]
	if !ok {
		return endpoint{}, errors.New("unknown bitcoin network")
	}
	dir := o.DataDir
	if dir == "" {
		if home, err := os.UserHomeDir(); err == nil {
			dir = filepath.Join(home, ".bitcoin")
		}
	}
	conf, err := readConf(filepath.Join(dir, "bitcoin.conf"), net0.section)
	if err != nil {
		return endpoint{}, err
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	if o.DataDir == "" && conf["datadir"] != "" {
		dir = conf["datadir"]
	}

	connect, tls := strings.CutPrefix(o.Connect, "https://")
	host, port := first(connect, conf["rpcconnect"], "127.0.0.1"), first(o.Port, conf["rpcport"])
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, first(port, p)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	e := endpoint{addr: net.JoinHostPort(host, first(port, net0.port)), tls: tls}

	if o.Cookie != "" {
		e.cookie = o.Cookie
		return e, nil
	}
	// A password decides, as in bitcoin-cli: without one, the cookie.
	if e.pass = first(o.Password, conf["rpcpassword"]); e.pass != "" {
		e.user = first(o.User, conf["rpcuser"])
		return e, nil
	}
	e.cookie = first(conf["rpccookiefile"], ".cookie")
	if !filepath.IsAbs(e.cookie) {
		e.cookie = filepath.Join(dir, net0.dir, e.cookie)
	}
	return e, nil
}

// maxConf caps bitcoin.conf, maxCookie the cookie file, in bytes.
const (
	maxConf   = 1 << 20
	maxCookie = 1 << 10
)

// readConf reads the settings of bitcoin.conf that apply to a section: its own,
// then those before any section. A file that is not there is empty. The first
// value of a setting counts, as in bitcoind. Included files are not followed.
func readConf(path, section string) (map[string]string, error) {
	raw, err := readCapped(path, maxConf)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bitcoin.conf: %w", err)
	}
	general, own := map[string]string{}, map[string]string{}
	into, prefix := general, section+"."
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxConf+1)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			into = map[string]string{}
			if line == "["+section+"]" {
				into = own
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		to := into
		if rest, is := strings.CutPrefix(key, prefix); is {
			key, to = rest, own
		}
		if _, dup := to[key]; !dup {
			to[key] = value
		}
	}
	if section != "main" {
		delete(general, "rpcport") // bitcoind takes it for the main chain only
	}
	maps.Copy(general, own)
	return general, nil
}

// login returns user and password, reading the cookie afresh: bitcoind writes a
// new one at every start.
func (e endpoint) login() (user, pass string, err error) {
	if e.cookie == "" {
		return e.user, e.pass, nil
	}
	raw, err := readCapped(e.cookie, maxCookie)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", "", fmt.Errorf("%w: no cookie file", ErrNoCredentials)
		}
		return "", "", fmt.Errorf("%w: cookie file: %w", ErrNoCredentials, err)
	}
	user, pass, ok := strings.Cut(strings.TrimSpace(string(raw)), ":")
	if !ok {
		return "", "", fmt.Errorf("%w: the cookie file is not one", ErrNoCredentials)
	}
	return user, pass, nil
}

// readCapped reads a regular file of at most limit bytes.
func readCapped(path string, limit int64) ([]byte, error) {
	// Asked before opening: opening a pipe would wait for its writer.
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, errors.New("larger than it can be")
	}
	return raw, nil
}
