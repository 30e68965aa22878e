package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/vlsstate"
)

// proven is what the node's secret says of a backup.
type proven struct {
	// warnings concern the whole, channels one channel each.
	warnings []string
	channels map[channel.Key][]string
}

// proveSecret proves, where the node's secret can be read, that backup, secret
// and node belong together. What is wrong is told and stops nothing: a damaged
// entry can still hold a channel whose coin comes back. Without the secret
// everything that can work without it goes on.
func (s *Service) proveSecret(b *vlsstate.Backup) *proven {
	keys, _, err := s.openKeys()
	if err != nil {
		return &proven{warnings: []string{fmt.Sprintf("%v The channels are imported all the same, but no peer can be asked to close, "+
			"and a CLN peer does not close a used channel by itself", err)}}
	}
	report, warnings, err := keys.Prove(b)
	if err != nil {
		return &proven{warnings: []string{fmt.Sprintf("nothing could be proven with the secret: %v", err)}}
	}
	p := &proven{warnings: warnings, channels: map[channel.Key][]string{}}
	bad := 0
	for _, c := range report.Entries {
		switch {
		case c.Status != proof.Wrong && c.Status != proof.Missing:
		case c.Kind == proof.WatchedChannels:
			p.warnings = append(p.warnings, c.Text+": look for a whole copy of the backup")
		default:
			bad++
		}
	}
	if bad > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("%d of the backup's entries are not as this node's signer wrote them: "+
			"the file was damaged or changed; glrecover verify names them", bad))
	}
	for i := range report.Channels {
		c := &report.Channels[i]
		for _, check := range c.Checks {
			if check.Status == proof.Wrong {
				p.channels[c.Channel] = append(p.channels[c.Channel], fmt.Sprintf("%s is wrong: %s", check.Kind, check.Text))
			}
		}
	}
	return p
}

// onChainStep says how the coins that the lost node had on chain come back:
// with a rescan, but never to a node whose hsm_secret holds words.
func onChainStep(a *Answer) string {
	const height = "rescan=-HEIGHT, HEIGHT being a block from before they were paid; it takes a while."
	if slices.Contains(a.Warnings, proof.WalletWarning) {
		return "The coins that the lost node had on chain stay invisible here, with a rescan too, because this hsm_secret holds words. " +
			"When all channels are resolved and their coins are moved on, stop this node for good and start another in a fresh directory, " +
			"with the 32-byte file that glrecover hsm-secret writes and with " + height
	}
	return "The coins that the lost node had on chain show after one restart of lightningd with " + height
}

// diagnoseTime bounds the search for the mistake behind a wrong secret.
const diagnoseTime = 10 * time.Second

// explain says more about a wrong node, where the node's secret shows the likely
// mistake.
func (s *Service) explain(ctx context.Context, want channel.PubKey, err error) error {
	if failure.NameOf(err) != failure.WrongNode || s.Diagnose == nil {
		return err
	}
	var f *failure.Error
	if errors.As(err, &f) {
		if _, told := f.Data.(proof.Diagnosis); told {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	if better := s.Diagnose(ctx, s.facts, s.id, want); better != nil {
		return better
	}
	return err
}
