package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keyquorum/cluster"
	"keyquorum/seal"
)

// A Kind is the class of an Error; each has one HTTP status.
type Kind uint8

const (
	Invalid         Kind = iota + 1 // 400
	Unauthenticated                 // 401
	Forbidden                       // 403
	NotFound                        // 404
	Conflict                        // 409
	Throttled                       // 429
	Internal                        // 500
	Unavailable                     // 503, with RetryAfter
)

var statuses = [...]int{Invalid: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404,
	Conflict:  409,
	Throttled: 429, Internal: 500, Unavailable: 503}

// Status is the HTTP status of the kind; 500 for one that does not exist.
func (k Kind) Status() int {
	if k < Invalid || int(k) >= len(statuses) {
		return 500
	}
	return statuses[k]
}

// An Error is the domain's refusal, in Azure's vocabulary. It never holds secret bytes.
type Error struct {
	Kind       Kind
	Code       string // "SecretNotFound", "BadParameter", …
	Inner      string // "ObjectIsDeletedButRecoverable", … or ""
	Message    string
	RetryAfter time.Duration // with Unavailable and Throttled
	Status     int           // of the answer where the kind's is too coarse (405, 413 …), else 0
}

func (e *Error) Error() string { return e.Message }

func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Kind.Status()
}

// usageCode is the code that a usage record carries: the more telling one.
func (e *Error) usageCode() string {
	if e.Inner != "" {
		return e.Inner
	}
	return e.Code
}

// retryAfter is what Azure's SDKs are told to wait: their whole window is three seconds then
// (decision 11).
const retryAfter = time.Second

// mayHaveHappened ends the message of every failure that came after a write was sent.
const mayHaveHappened = " The write may have happened."

func badParameter(format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: "BadParameter", Message: fmt.Sprintf(format, args...)}
}

// badProperty refuses a property of the request by its name.
func badProperty(name string) *Error { return badParameter("Property %s has invalid value", name) }

// badValue says what is wrong, too. It is not for what failed to decrypt.
func badValue(name, format string, args ...any) *Error {
	return badParameter("Property "+name+" has invalid value: "+format+".", args...)
}

// missing refuses a request without a property that it must have.
func missing(name string) *Error { return badParameter("Property %s is required.", name) }

func unauthorized(message string) *Error {
	return &Error{Kind: Unauthenticated, Code: "Unauthorized", Message: message}
}

func forbidden(inner, format string, args ...any) *Error {
	return &Error{Kind: Forbidden, Code: "Forbidden", Inner: inner,
		Message: fmt.Sprintf(format, args...)}
}

func notFound(code, format string, args ...any) *Error {
	return &Error{Kind: NotFound, Code: code, Message: fmt.Sprintf(format, args...)}
}

func conflict(inner, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Code: "Conflict", Inner: inner,
		Message: fmt.Sprintf(format, args...)}
}

func unavailable(inner, message string) *Error {
	return &Error{Kind: Unavailable, Code: "ServiceUnavailable", Inner: inner, Message: message,
		RetryAfter: retryAfter}
}

func internal(inner, message string) *Error {
	return &Error{Kind: Internal, Code: "InternalServerError", Inner: inner, Message: message}
}

// damaged is the answer for a record that does not open, or opens to something that was never
// written (I8). The path goes no further than this node's own log and usage record: it is in the
// message because names are metadata, values are not.
func damaged(path string) *Error {
	return internal("RecordDamaged",
		"The stored record "+path+" could not be opened: it was altered, moved or damaged.")
}

// stillDone says what goes on where no room is left.
const stillDone = "Reads and the use of keys go on; what deletes, purges or takes rights away is done too."

// refusal turns whatever ended a request into the domain's vocabulary.
func refusal(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, seal.ErrSealed), errors.Is(err, cluster.ErrSealed):
		return unavailable("Sealed", "This node is sealed.")
	case errors.Is(err, cluster.ErrUnknown):
		return unavailable("OutcomeUnknown", "The outcome could not be learned in time."+mayHaveHappened)
	case errors.Is(err, cluster.ErrUnavailable):
		return unavailable("NoLeader", "No leader of the cluster could be reached.")
	case errors.Is(err, cluster.ErrNoRoomHere):
		return unavailable("NoRoom",
			"This node takes no writes, because little room is left on its disk. "+
				"Another node may take them, until whoever runs this one makes room. "+stillDone)
	case errors.Is(err, cluster.ErrNoRoom):
		return unavailable("NoRoom",
			"No node takes writes, because too few have room left on their disks: "+
				"whoever runs them has to make room. "+stillDone)
	case errors.Is(err, cluster.ErrBusy):
		return unavailable("Busy", "Too many requests are waiting.")
	case errors.Is(err, cluster.ErrDiverged), errors.Is(err, cluster.ErrRemoved):
		return unavailable("NotServing", "This node does not serve: "+err.Error()+".")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("Timeout", "The request ran out of time.")
	default:
		return internal("", "An internal error occurred.")
	}
}
