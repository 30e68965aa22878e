package plugin

import (
	"context"
	"fmt"

	"github.com/glrecover/glrecover/lightningd"
)

// feerates are lightningd's estimates.
type feerates struct{ rpc *lightningd.Client }

// named is an estimate by CLN's name, in sat per 1000 weight. Where bitcoind has
// none yet, as after its first start, it is the lowest feerate that is relayed:
// what is made with it is raised as blocks go by.
func (f feerates) named(ctx context.Context, name string) (uint32, error) {
	all, err := f.rpc.Feerates(ctx)
	if err != nil {
		return 0, err
	}
	perKW, err := f.rpc.ParseFeerate(ctx, name)
	if err == nil {
		return max(perKW, all.Floor), nil
	}
	if all.Floor == 0 {
		return 0, fmt.Errorf("lightningd has no feerate %q: %w", name, err)
	}
	return all.Floor, nil
}
