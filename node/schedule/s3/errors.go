package s3

import (
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"keyquorum/node/schedule"
)

// maxText bounds what is repeated of a stranger's words, in bytes.
const maxText = 400

// plain is an error of the store's in a line, in which nothing stands that only its two ends know.
// Part of it are words of the store, which saw the token.
func (c *client) plain(err error) error {
	if err == nil {
		return nil
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, err.Error())
	for _, secret := range []string{c.who.SecretAccessKey, c.who.SessionToken} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return &storeError{text, err}
}

// A storeError shows its text. What it wraps is for questions of errors.Is and errors.As alone.
type storeError struct {
	text  string
	cause error
}

func (e *storeError) Error() string { return e.text }
func (e *storeError) Unwrap() error { return e.cause }

// status is how the store answered, 0 where it did not.
func status(err error) int {
	if answer := new(awshttp.ResponseError); errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// onlyNew calls put with the condition that there is no such object yet. A store that knows no
// conditions is asked without: its list was looked at a moment ago.
func onlyNew(put func(ifNoneMatch *string) error) error {
	any := "*"
	err := put(&any)
	switch status(err) {
	case http.StatusPreconditionFailed:
		return schedule.ErrThere
	case http.StatusNotImplemented:
		return put(nil)
	}
	return err
}
