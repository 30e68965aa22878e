package recovery

import (
	"context"
	"errors"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/proof"
)

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
