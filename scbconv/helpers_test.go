package scbconv_test

import (
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
)

type channelSecret = channel.Secret

// fullShachain has a secret in each of the 49 buckets: after 2^48 updates.
func fullShachain() *scbconv.Shachain {
	s := new(scbconv.Shachain)
	for i := range 48 {
		s.Secrets = append(s.Secrets, channel.Secret{Index: 1 << i})
	}
	s.Secrets = append(s.Secrets, channel.Secret{Index: 0})
	return s
}
