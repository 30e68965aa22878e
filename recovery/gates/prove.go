package gates

import (
	"fmt"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/vlsstate"
)

// Prover has the node's secret.
type Prover interface {
	// Prove checks a backup with the secret. The texts are what the user must
	// know about an otherwise right secret.
	Prove(b *vlsstate.Backup) (*proof.Report, []string, error)
}

// Prove proves that backup, secret and node belong together. What is wrong, with the
// backup or with one channel of it, is told and stops nothing: a damaged entry can
// still hold a channel whose coin comes back.
func Prove(p Prover, b *vlsstate.Backup) (warnings []string, wrong map[channel.Key][]string) {
	report, warnings, err := p.Prove(b)
	if err != nil {
		return []string{fmt.Sprintf("nothing could be proven with the secret: %v", err)}, nil
	}
	bad := 0
	for _, c := range report.Entries {
		switch {
		case c.Status != proof.Wrong && c.Status != proof.Missing:
		case c.Kind == proof.WatchedChannels:
			warnings = append(warnings, c.Text+": look for an undamaged copy of the backup")
		default:
			bad++
		}
	}
	if bad > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of the backup's entries are not as this node's signer wrote them: "+
			"the file was damaged or changed; glrecover verify names them", bad))
	}
	wrong = map[channel.Key][]string{}
	for i := range report.Channels {
		r := &report.Channels[i]
		for _, check := range r.Checks {
			if check.Status == proof.Wrong {
				wrong[r.Channel] = append(wrong[r.Channel], fmt.Sprintf("%s is wrong: %s", check.Kind, check.Text))
			}
		}
	}
	return warnings, wrong
}
