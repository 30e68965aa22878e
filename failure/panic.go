package failure

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/sirupsen/logrus"
)

// logPanic logs a recovered panic of the named work with its stack. Arguments
// are not in it, and of the panic's value only what the runtime says: it may
// hold what the caller sent.
func logPanic(log logrus.FieldLogger, name string, cause any) {
	text := fmt.Sprintf("a %T", cause)
	if err, ok := cause.(runtime.Error); ok {
		text = err.Error()
	}
	log.Errorf("panic in %s: %s\n%s", name, text, debug.Stack())
}

// Guard runs f and turns a panic in it into an error, which it has logged: one fault
// must not end the program, and with it the guard against openings.
func Guard(log logrus.FieldLogger, name string, f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			logPanic(log, name, cause)
			err = New(Internal, "Please report it with lightningd's log",
				"%s stopped on an error in glrecover itself; the log has the details", name)
		}
	}()
	return f()
}
