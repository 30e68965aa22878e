package plugin

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/recovery/api"
)

const (
	optionHSMSecret     = "glrecover-hsm-secret"
	optionAllowOpenings = "glrecover-allow-openings"
	allPeers            = "all"

	// startPatience is how long a command waits for the service to start.
	startPatience = 15 * time.Second
	// Start is tried again after a pause that doubles up to startPauseMax.
	startPause    = time.Second
	startPauseMax = time.Minute
)

// Main is the plugin: it talks to lightningd over in and out (stdin and stdout)
// until lightningd ends it. The result is the exit code: 0, or 1 after an error
// on the stream. LIGHTNINGD_VERSION is lightningd's version.
func Main(ctx context.Context, in io.Reader, out io.Writer, newService NewService) int {
	output := lightningd.NewOutput(out)
	log := newLogger(output)
	// glightning writes to the standard logger.
	stdlog.SetFlags(0)
	stdlog.SetOutput(log.WriterLevel(logrus.DebugLevel))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &plugin{
		ctx: ctx, log: log, newService: newService,
		version: os.Getenv("LIGHTNINGD_VERSION"), started: make(chan struct{}),
	}
	if err := p.describe().Serve(ctx, in, output); err != nil {
		log.Errorf("glrecover stops: %v", err)
		return 1
	}
	return 0
}

type plugin struct {
	ctx        context.Context
	log        logrus.FieldLogger
	newService NewService
	version    string
	// started is closed when the service's Start has succeeded.
	started chan struct{}

	mu       sync.Mutex
	service  Service
	startErr error
}

func (p *plugin) describe() *lightningd.Plugin {
	return &lightningd.Plugin{
		Options: []lightningd.Option{
			lightningd.StringOption(optionHSMSecret, "path of the lost node's hsm_secret, for sweeps (default: this node's own)"),
			lightningd.MultiOption(optionAllowOpenings, "node id of a peer with which channels may be opened although a recovery is under way, or \"all\"; dangerous"),
		},
		Methods:       p.methods(),
		Hooks:         p.hooks(),
		Subscriptions: p.subscriptions(),
		Init:          p.init,
		Log:           p.log,
	}
}

// init must return at once: lightningd waits for it, and so do we not call
// lightningd here.
func (p *plugin) init(in lightningd.Init) (disable string) {
	if err := checkVersion(p.version); err != nil {
		return err.Error()
	}
	options := readOptions(in.Options)
	if options.OpeningsTrouble != "" {
		p.log.Error(options.OpeningsTrouble)
	}
	service := p.newService(lightningd.NewClient(in.RPCSocket), p.log)
	p.mu.Lock()
	p.service = service
	p.mu.Unlock()
	go p.start(service, api.Node{
		RPCSocket: in.RPCSocket, LightningDir: in.LightningDir, Network: in.Network,
		Version: p.version, AtStartup: in.Startup,
		Proxy: in.Proxy, AlwaysUseProxy: in.AlwaysUseProxy, Options: options,
	})
	return ""
}

func checkVersion(version string) error {
	const do = "Update Core Lightning"
	v, err := lightningd.ParseVersion(version)
	if err != nil {
		return failure.New(failure.UnsupportedLightningd, do, "cannot tell the version of lightningd from %.40q", version)
	}
	if !v.AtLeast(lightningd.MinVersion) {
		return failure.New(failure.UnsupportedLightningd, do,
			"lightningd %.40s is older than %s, and cannot read these channel backups", version, lightningd.MinVersion)
	}
	return nil
}

// readOptions never fails: without the plugin nothing would refuse an opening.
func readOptions(values map[string][]string) api.Options {
	var o api.Options
	bad := 0
	if v := values[optionHSMSecret]; len(v) > 0 {
		o.HSMSecretPath = v[0]
	}
	for _, v := range values[optionAllowOpenings] {
		if v == allPeers {
			o.AllowAllOpenings = true
			continue
		}
		peer, err := channel.ParsePubKey(v)
		if err != nil {
			bad++
			continue
		}
		o.AllowOpenings = append(o.AllowOpenings, peer)
	}
	if bad > 0 {
		o.OpeningsTrouble = fmt.Sprintf("the option %s has values that are neither a node id nor %q (%d of %d), which are ignored. Correct them and restart lightningd",
			optionAllowOpenings, allPeers, bad, len(values[optionAllowOpenings]))
	}
	return o
}

// start starts the service, patiently: lightningd may still be busy.
func (p *plugin) start(service Service, node api.Node) {
	pause := startPause
	for {
		err := failure.Guard(p.log, "start", func() error { return service.Start(p.ctx, node) })
		p.mu.Lock()
		p.startErr = err
		p.mu.Unlock()
		if err == nil {
			close(p.started)
			return
		}
		if p.ctx.Err() != nil {
			return
		}
		p.log.Warnf("glrecover cannot start yet, trying again in %v: %v", pause, err)
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
			return
		}
		pause = min(2*pause, startPauseMax)
	}
}

// ready returns the started service.
func (p *plugin) ready(ctx context.Context) (Service, error) {
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-p.started:
		return p.current(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
	}
	p.mu.Lock()
	err := p.startErr
	p.mu.Unlock()
	if failure.NameOf(err) != "" {
		return nil, err
	}
	return nil, failure.New(failure.Busy, "Try again in a minute, and look into lightningd's log", "glrecover is still starting").Wrap(err)
}

// current is the service, nil before lightningd's init.
func (p *plugin) current() Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.service
}
