package wire

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"keyquorum/vault"
)

// A Failure is an answer that refuses, before it has a plane's format.
type Failure struct {
	Status     int
	Code       string // Azure's word; the operator plane has none
	Inner      string
	Message    string
	allow      []string      // with 405
	RetryAfter time.Duration // with 429 and 503
	Early      bool          // refused before a verb of the domain was called, which would have recorded it
}

// Error is what the client is told.
func (f *Failure) Error() string { return f.Message }

// Refuse makes a failure of a plane's own: no verb was called.
func Refuse(status int, code, message string) *Failure {
	return &Failure{Status: status, Code: code, Message: message, Early: true}
}

// BadParameter is Azure's code for nearly everything that is wrong with a request.
func BadParameter(message string) *Failure {
	return Refuse(http.StatusBadRequest, "BadParameter", message)
}

// NotFound is said of a path that no route has.
func NotFound() *Failure {
	return Refuse(http.StatusNotFound, "NotFound", "No such path.")
}

// MethodNotAllowed is said of a path that has routes for other methods only.
func MethodNotAllowed(allow []string) *Failure {
	f := Refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The path does not have this method.")
	f.allow = allow
	return f
}

// UnrecordedCode is that of vault's, too. What is the matter is in the log once (node's
// watchUsageLog), not once a request.
const UnrecordedCode = "UsageRecordFailed"

// Unrecorded answers a request whose usage record could not be written (I10).
func Unrecorded(more string) *Failure {
	return &Failure{
		Status: http.StatusInternalServerError, Code: "InternalServerError", Inner: UnrecordedCode,
		Message: "The usage record could not be written." + more,
	}
}

// Unavailable is what a retry may mend.
func Unavailable(message string) *Failure {
	return &Failure{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable",
		Message: message, RetryAfter: time.Second}
}

// FailureOf is the one table from errors to answers. What it does not know is a bug: 500, and the
// text stays in the log.
func FailureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var v *vault.Error
	if errors.As(err, &v) {
		return &Failure{Status: v.Kind.Status(), Code: v.Code, Inner: v.Inner, Message: v.Message,
			RetryAfter: v.RetryAfter}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable("The request could not be finished in time. If it was a write, it may have happened.")
	}
	return &Failure{Status: http.StatusInternalServerError, Code: "InternalServerError",
		Message: "internal error"}
}

// Domain is the failure in the domain's vocabulary, for its usage record.
func (f *Failure) Domain() *vault.Error {
	kind := vault.Internal
	switch f.Status {
	case http.StatusUnauthorized:
		kind = vault.Unauthenticated
	case http.StatusForbidden:
		kind = vault.Forbidden
	case http.StatusNotFound:
		kind = vault.NotFound
	case http.StatusConflict:
		kind = vault.Conflict
	case http.StatusTooManyRequests:
		kind = vault.Throttled
	case http.StatusServiceUnavailable:
		kind = vault.Unavailable
	default:
		if f.Status < 500 {
			kind = vault.Invalid
		}
	}
	return &vault.Error{Kind: kind, Status: f.Status, Code: f.Code, Inner: f.Inner, Message: f.Message,
		RetryAfter: f.RetryAfter}
}

// Headers that belong to a refusal, whatever its plane.
func (f *Failure) Headers(h http.Header) {
	if f.Status == http.StatusServiceUnavailable || f.Status == http.StatusTooManyRequests {
		seconds := max(1, int((f.RetryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	for _, m := range f.allow {
		h.Add("Allow", m)
	}
}

// AppendAzure is the application plane's error body, as Azure Key Vault has it.
func (f *Failure) AppendAzure(dst []byte) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = AppendString(dst, f.Code)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, f.Message)
	if f.Inner != "" {
		dst = append(dst, `,"innererror":{"code":`...)
		dst = AppendString(dst, f.Inner)
		dst = append(dst, '}')
	}
	return append(dst, `}}`...)
}

// AppendSys is the operator plane's error body.
func (f *Failure) AppendSys(dst []byte) []byte {
	dst = append(dst, `{"errors":[`...)
	dst = AppendString(dst, f.Message)
	return append(dst, `]}`...)
}
