package upstream

import (
	"errors"
	"fmt"
)

// Code classes an error for programs: one function maps it to an exit code, one
// to an HTTP status.
type Code string

// The codes. Anything without one is Internal.
const (
	Invalid     Code = "invalid"     // what was asked can't be done as asked; ask differently
	NotFound    Code = "not_found"   // no such customer, file, claim; or another customer's
	SignedOut   Code = "signed_out"  // nobody knows who asks: no, wrong or expired credentials
	Forbidden   Code = "forbidden"   // known, but not allowed to
	Conflict    Code = "conflict"    // it exists already, or somebody else is at it
	Unavailable Code = "unavailable" // a database or disk that may come back
	Corrupt     Code = "corrupt"     // stored data fails its own checks
	Internal    Code = "internal"    // a fault of ours
)

// Error is a code and one sentence for a person, which says what is wrong and
// what to do. It never holds claim content.
type Error struct {
	Code    Code
	Message string
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the error that Errorf was given with %w, if any.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error with a code; the format is that of fmt.Errorf, %w included.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// ErrorCode returns the code of an error: "" for nil, Internal when it has none.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
