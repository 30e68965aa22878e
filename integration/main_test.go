package integration

import (
	"os"
	"testing"

	"github.com/glrecover/glrecover/integration/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m.Run)) }
