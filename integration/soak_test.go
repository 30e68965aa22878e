package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// soakEnv says with how many channels TestSoak runs; `make soak` sets it.
const soakEnv = "GLRECOVER_SOAK"

// TestSoak recovers a node with hundreds of channels whose peers come and go, with
// lightningd and the plugin ended on the way. Every coin comes back, and neither
// descriptors nor memory nor the datastore grow without end.
func TestSoak(t *testing.T) {
	channels, err := strconv.Atoi(os.Getenv(soakEnv))
	if err != nil {
		h.Say("NOT RUN: %s takes long: make soak", t.Name())
		t.Skipf("%s is not a number of channels", soakEnv)
	}
	h.Need(t, h.Lightningd, h.BitcoindD)
	const peers, share = 4, 70_000
	n, src := h.New(t), h.Source{}
	lost := n.CLN("lost", src.Config())
	var all []*h.CLN
	for i := range peers {
		all = append(all, n.CLN(fmt.Sprintf("peer%d", i), h.CLNConfig{}))
	}
	begun := time.Now()
	stage := func(format string, args ...any) {
		h.Say("MEASURED: soak: %4.0f s: %s", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	lanes := make([]*h.Lane, channels)
	for i := range lanes {
		// The lost node called its peers: their addresses are in the backup.
		lanes[i] = &h.Lane{From: all[i%peers], To: lost, Sat: 200_000, Dialled: true}
	}
	n.OpenLanes(lanes...)
	var uses []func()
	for p := range peers {
		uses = append(uses, func() {
			for i := p; i < channels; i += peers {
				n.PayOver(lanes[i], all[p], share*1000)
			}
		})
	}
	h.Together(t, uses...)
	for _, l := range lanes {
		n.WaitSettled(l.Funding, l.From, l.To)
	}
	stage("%d channels with %d peers are open and used", channels, peers)

	backup := src.Lose(lost)
	for _, p := range all {
		p.Stop()
	}
	me := lost.Heir("heir", h.CLNConfig{Plugin: true})
	me.Start()
	answer := me.Recover(backup)
	for _, l := range lanes {
		if a := answer.Of(l.Funding); a.Result != "imported" {
			t.Fatalf("%s is %s: %s", l.Funding, a.Result, a.Reason)
		}
	}
	first := use(t, me)
	stage("imported while no peer is there; %s; the answer has %d bytes", first, len(answer.Raw))

	// When every peer was called once, a minute in which nothing happens writes nothing.
	settled := first.generations - 1
	long(t, "the first calls to be over", func() error {
		before := settled
		time.Sleep(15 * time.Second)
		if settled = use(t, me).generations; settled != before {
			return fmt.Errorf("records were written %d times, and then %d", before, settled)
		}
		return nil
	})
	first = use(t, me)
	stage("every peer was called; %s", first)
	time.Sleep(time.Minute)
	if now := use(t, me); now.stored != first.stored || now.generations != first.generations {
		t.Errorf("while nothing happened %d bytes of records became %d, written %d times and %d", first.stored, now.stored, first.generations, now.generations)
	}

	// Peers come for a while, two at most, and go again.
	r := rand.New(rand.NewPCG(1, 1))
	up := map[*h.CLN]bool{}
	for round := range 12 {
		for _, p := range all {
			switch {
			case up[p]:
				p.Stop()
				up[p] = false
			case len(up) < 2 && r.IntN(3) == 0 || round == 11:
				p.Start()
				up[p] = true
			}
			if !up[p] {
				delete(up, p)
			}
		}
		switch round {
		case 3:
			me.KillPlugin()
			me.StartPluginAgain()
		case 6:
			me.Kill()
			me.Start()
		}
		n.Mine(1, me)
		time.Sleep(10 * time.Second)
		stage("round %d, %d peers are there: %s", round, len(up), use(t, me))
	}
	for _, p := range all {
		if !up[p] {
			p.Start()
		}
	}
	var fundings []h.Outpoint
	for _, l := range lanes {
		fundings = append(fundings, l.Funding)
	}
	long(t, "every channel's coin", func() error {
		n.Mine(1, me)
		if got, want := me.Balance(), uint64(channels*share); got != want {
			return fmt.Errorf("%d of %d sat; %d closes wait for a block", got, want, len(n.Bitcoind.MempoolSpenders(fundings...)))
		}
		return nil
	})
	stage("every coin is in the wallet; %s", use(t, me))
	n.Mine(100, me)
	long(t, "every channel to be resolved", func() error {
		counts := map[string]int{}
		for _, c := range me.Status().Channels {
			counts[c.State]++
		}
		if counts["resolved"] != channels {
			return fmt.Errorf("%v", counts)
		}
		return nil
	})
	s := me.Status()
	if got := uint64(s.Totals.Recovered); got != uint64(channels*share)*1000 || len(s.Alarms) > 0 {
		t.Errorf("recovered %d msat, alarms %v", got, s.Alarms)
	}
	last := use(t, me)
	stage("every channel is resolved; %s; the status has %d bytes", last, len(me.RawStatus()))
	if last.descriptors > first.descriptors+10 {
		t.Errorf("%d descriptors at the beginning, %d at the end", first.descriptors, last.descriptors)
	}
	if bound := channels * 16 << 10; last.stored > bound {
		t.Errorf("%d bytes of records for %d channels", last.stored, channels)
	}
}

// long is for what takes its time with hundreds of channels.
func long(t *testing.T, what string, ok func() error) {
	t.Helper()
	if err := h.Poll(20*time.Minute, ok); err != nil {
		t.Fatalf("waited in vain for %s: %v", what, err)
	}
}

// usage is what the plugin takes.
type usage struct {
	descriptors, threads int
	// resident is its memory, stored what its records hold, in bytes.
	resident, stored int
	// generations is how often its records were written.
	generations uint64
}

func (u usage) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d MB of memory, %d kB of records, written %d times",
		u.descriptors, u.threads, u.resident>>20, u.stored>>10, u.generations)
}

func use(t *testing.T, me *h.CLN) (u usage) {
	t.Helper()
	pids := me.PluginPIDs()
	if len(pids) == 0 {
		t.Fatal("the plugin does not run")
	}
	proc := filepath.Join("/proc", strconv.Itoa(pids[0]))
	if open, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		u.descriptors = len(open)
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var n int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &n); err == nil {
			u.resident = n << 10
		}
		if _, err := fmt.Sscanf(line, "Threads: %d", &n); err == nil {
			u.threads = n
		}
	}
	for _, key := range [][]string{{"glrecover"}, {"glrecover", "channel"}} {
		var list struct {
			Datastore []struct {
				Hex        string `json:"hex"`
				Generation uint64 `json:"generation"`
			} `json:"datastore"`
		}
		me.Must("listdatastore", h.Params{"key": key}, &list)
		for _, e := range list.Datastore {
			u.stored += len(e.Hex) / 2
			u.generations += e.Generation
		}
	}
	return u
}
