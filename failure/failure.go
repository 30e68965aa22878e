// Package failure holds the errors that a user sees: each has a stable name
// that scripts may match, says what was found, and says what to do. Every
// package may import it.
//
// It never decides anything, and it never carries file content or a secret: a
// failure's text is safe to show to anybody who may see the log.
package failure

import (
	"errors"
	"fmt"
)

// Name is the stable name of a failure. Messages begin with it.
type Name string

// Error is one failure.
type Error struct {
	Name Name
	// Found says what was found, Do what the user can do about it. Whole
	// sentences without a trailing full stop.
	Found string
	Do    string
	// Data is machine-readable detail for the JSON-RPC error's data field; nil
	// where there is none.
	Data any
	// Err is the cause for errors.Is and errors.As; its text is not shown.
	Err error
}

// New makes a failure; found is a format.
func New(name Name, do, found string, args ...any) *Error {
	return &Error{Name: name, Found: fmt.Sprintf(found, args...), Do: do}
}

// Wrap sets the cause and returns e.
func (e *Error) Wrap(err error) *Error { e.Err = err; return e }

// With sets the data and returns e.
func (e *Error) With(data any) *Error { e.Data = data; return e }

// Error begins with the stable name: "name: found. Do."
func (e *Error) Error() string {
	if e.Do == "" {
		return fmt.Sprintf("%s: %s", e.Name, e.Found)
	}
	return fmt.Sprintf("%s: %s. %s.", e.Name, e.Found, e.Do)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches another failure of the same name, so that
// errors.Is(err, &Error{Name: n}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Name == e.Name
}

// FoundIn is what a failure found, without its name and what to do; of another
// error all of it.
func FoundIn(err error) string {
	var f *Error
	if errors.As(err, &f) {
		return f.Found
	}
	return err.Error()
}

// NameOf returns the stable name of the first failure in err's tree, or "".
func NameOf(err error) Name {
	var f *Error
	if errors.As(err, &f) {
		return f.Name
	}
	return ""
}
