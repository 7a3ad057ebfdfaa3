package vault

import "time"

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

// Status is the HTTP status of the kind.
func (k Kind) Status() int { panic("not built yet") }

// An Error is the domain's refusal, in Azure's vocabulary. It never holds secret bytes.
type Error struct {
	Kind       Kind
	Code       string // "SecretNotFound", "BadParameter", …
	Inner      string // "ObjectIsDeletedButRecoverable", … or ""
	Message    string
	RetryAfter time.Duration // with Unavailable and Throttled
}

func (e *Error) Error() string { return e.Message }
