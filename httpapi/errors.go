package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"keyquorum/vault"
)

// A failure is an answer that refuses, before it has a plane's format.
type failure struct {
	status     int
	code       string // Azure's word; the operator plane has none
	inner      string
	message    string
	allow      []string      // with 405
	retryAfter time.Duration // with 429 and 503
	early      bool          // refused before a verb of the domain was called, which would have recorded it
}

func (f *failure) Error() string { return f.message }

// refuse makes a failure of this package's own: no verb was called.
func refuse(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message, early: true}
}

// badParameter is Azure's code for nearly everything that is wrong with a request.
func badParameter(message string) *failure {
	return refuse(http.StatusBadRequest, "BadParameter", message)
}

func notFound() *failure {
	return refuse(http.StatusNotFound, "NotFound", "No such path.")
}

func methodNotAllowed(allow []string) *failure {
	f := refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The path does not have this method.")
	f.allow = allow
	return f
}

// unrecordedCode is that of vault's, too. What is the matter is in the log once (node's
// watchUsageLog), not once a request.
const unrecordedCode = "UsageRecordFailed"

// unrecorded answers a request whose usage record could not be written (I10).
func unrecorded(more string) *failure {
	return &failure{
		status: http.StatusInternalServerError, code: "InternalServerError", inner: unrecordedCode,
		message: "The usage record could not be written." + more,
	}
}

// unavailable is what a retry may mend.
func unavailable(message string) *failure {
	return &failure{status: http.StatusServiceUnavailable, code: "ServiceUnavailable",
		message: message, retryAfter: time.Second}
}

// failureOf is the one table from errors to answers. What it does not know is a bug: 500, and the
// text stays in the log.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var v *vault.Error
	if errors.As(err, &v) {
		return &failure{status: v.Kind.Status(), code: v.Code, inner: v.Inner, message: v.Message,
			retryAfter: v.RetryAfter}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return unavailable("The request could not be finished in time. If it was a write, it may have happened.")
	}
	return &failure{status: http.StatusInternalServerError, code: "InternalServerError",
		message: "internal error"}
}

// domain is the failure in the domain's vocabulary, for its usage record.
func (f *failure) domain() *vault.Error {
	kind := vault.Internal
	switch f.status {
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
		if f.status < 500 {
			kind = vault.Invalid
		}
	}
	return &vault.Error{Kind: kind, Status: f.status, Code: f.code, Inner: f.inner, Message: f.message,
		RetryAfter: f.retryAfter}
}

// headers that belong to a refusal, whatever its plane.
func (f *failure) headers(h http.Header) {
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		seconds := max(1, int((f.retryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	for _, m := range f.allow {
		h.Add("Allow", m)
	}
}

// appendAzure is the application plane's error body, as Azure Key Vault has it.
func (f *failure) appendAzure(dst []byte) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = appendString(dst, f.code)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, f.message)
	if f.inner != "" {
		dst = append(dst, `,"innererror":{"code":`...)
		dst = appendString(dst, f.inner)
		dst = append(dst, '}')
	}
	return append(dst, `}}`...)
}

// appendSys is the operator plane's error body.
func (f *failure) appendSys(dst []byte) []byte {
	dst = append(dst, `{"errors":[`...)
	dst = appendString(dst, f.message)
	return append(dst, `]}`...)
}
