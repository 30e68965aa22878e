package plugin

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/lightningd"
)

// newLogger logs into lightningd's log; lightningd's own log-level decides what
// is kept.
func newLogger(out *lightningd.Output) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetFormatter(noFormat{})
	log.SetLevel(logrus.DebugLevel)
	log.AddHook(logHook{out})
	return log
}

// noFormat saves logrus from formatting what the hook formats.
type noFormat struct{}

func (noFormat) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

type logHook struct{ out *lightningd.Output }

func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h logHook) Fire(e *logrus.Entry) error {
	h.out.Log(levelOf(e.Level), format(e))
	return nil
}

func levelOf(l logrus.Level) lightningd.Level {
	switch l {
	case logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel:
		return lightningd.LevelError
	case logrus.WarnLevel:
		return lightningd.LevelWarn
	case logrus.InfoLevel:
		return lightningd.LevelInfo
	default:
		return lightningd.LevelDebug
	}
}

// format is the message with its fields in order: "text key=value".
func format(e *logrus.Entry) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(e.Message, "\n"))
	var keys []string
	for k := range e.Data {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, " %s=%v", k, e.Data[k])
	}
	return b.String()
}
