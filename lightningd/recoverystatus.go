package lightningd

import (
	"context"
	"encoding/json"
)

type glrecoverstatus struct{}

func (glrecoverstatus) Name() string { return "glrecover-status" }

// RecoveryStatus calls glrecover-status, a method of our own plugin, and returns
// its answer as it came.
func (c *Client) RecoveryStatus(ctx context.Context) (json.RawMessage, error) {
	var answer json.RawMessage
	err := c.call(ctx, glrecoverstatus{}, &answer)
	return answer, err
}

type glrecoverinspect struct {
	Backup string `json:"backup"`
}

func (glrecoverinspect) Name() string { return "glrecover-inspect" }

// RecoveryInspect calls glrecover-inspect, a method of our own plugin, on a file:
// the error says whether lightningd's user can read it as a backup.
func (c *Client) RecoveryInspect(ctx context.Context, path string) error {
	return c.call(ctx, glrecoverinspect{path}, nil)
}
