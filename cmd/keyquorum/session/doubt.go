package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"keyquorum/cmd/keyquorum/reference"
)

// A write that is sent to a second node while the first has done it is done twice: a secret has a
// version too many. So it goes on to another node, and is tried again, only when it is certain that
// it was not done.

// repeatable are the last segments of paths to which a POST changes nothing.
var repeatable = []string{
	"sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey", "backup", "rng",
}

// changes says whether doing a request twice is more than doing it once. A request without a token,
// with which the SDK asks where to get one, and a request for a token change nothing.
func changes(r *http.Request) bool {
	switch {
	case r.Method == http.MethodGet || r.Header.Get("Authorization") == "":
		return false
	case r.Method == http.MethodPost:
		return !slices.Contains(repeatable, strings.ToLower(path.Base(r.URL.Path)))
	}
	return true
}

// maxAnswer bounds the answer to a write, in bytes: a secret, or a key with its attributes, and
// room.
const maxAnswer = 1 << 20

// keep reads an answer whole, so that one that is cut off is known before it is believed.
func keep(answer *http.Response) error {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// mayBeDone says whether a write may have been done, by its answer. What a node refuses by name it
// has not done, and who asked too often was not heard.
func mayBeDone(answer *http.Response) bool {
	switch code := answer.StatusCode; {
	case code == http.StatusNotImplemented:
		return false
	case code == http.StatusServiceUnavailable:
		return !refusedUndone(answer)
	default:
		return code >= http.StatusInternalServerError || code == http.StatusRequestTimeout
	}
}

// undone are the inner codes of a 503 with which a Keyquorum says that a write was not done, and
// will not be. The one that is missing is OutcomeUnknown.
var undone = []string{
	"Sealed", "NoLeader", "NoRoom", "Busy", "NotServing", "Timeout", "Stalled", "Contended",
}

// undoneText begin the messages of those 503s that have no inner code: the request came to no verb.
var undoneText = []string{
	"The vault service is sealed or not ready", "Too many large requests are being read",
}

// refusedUndone says whether a 503 is one by which nothing was done. It leaves the answer as it
// was.
func refusedUndone(answer *http.Response) bool {
	said := read(answer)
	return slices.Contains(undone, said.Inner.Code) || said.Inner.Code == "" &&
		slices.ContainsFunc(undoneText, func(text string) bool {
			return strings.HasPrefix(said.Message, text)
		})
}

// read is the error in an answer that keep has read; what is not as Azure has it is empty.
func read(answer *http.Response) azureError {
	body, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var all struct{ Error azureError }
	if err != nil || json.Unmarshal(body, &all) != nil {
		return azureError{}
	}
	return all.Error
}

// azureError is what an error holds, as Azure Key Vault writes it.
type azureError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Inner   struct {
		Code string `json:"code"`
	} `json:"innererror"`
}

// InDoubt is the error of a write of which nobody knows whether it was done.
type InDoubt struct {
	method, path string
	cause        string
}

// NonRetriable tells the SDK not to do it a second time.
func (d *InDoubt) NonRetriable() {}

func (d *InDoubt) Error() string { return d.cause + ", so the change may have been made" }

// doubt is the error of a write that a host may have done; nil: it has not, or the answer says that
// it has.
func doubt(
	r *http.Request, host string, answer *http.Response, sent bool, err error,
) *InDoubt {
	cause := ""
	switch {
	case errors.Is(err, context.Canceled) && sent:
		cause = fmt.Sprintf("interrupted before %s answered", host)
	case err != nil && sent:
		cause = fmt.Sprintf("%s did not answer (%v)", host, plainCause(err))
	case err == nil && mayBeDone(answer):
		cause = fmt.Sprintf("%s answered %d", host, answer.StatusCode)
		if said := firstSentences(read(answer).Message); said != "" {
			cause += " (" + said + ")"
		}
	default:
		return nil
	}
	return &InDoubt{method: r.Method, path: r.URL.Path, cause: cause}
}

// look is the command that shows whether a write was done.
func (d *InDoubt) look(kind reference.Kind, name, vault string) string {
	verb := "list-versions " + name
	switch {
	case strings.HasPrefix(d.path, "/deleted") || d.method == http.MethodDelete:
		verb = "list-deleted"
	case name == "":
		verb = "list"
	case path.Base(d.path) == "rotationpolicy":
		verb = "rotation-policy " + name
	case d.method == http.MethodPatch:
		verb = "show " + name
	}
	return fmt.Sprintf("keyquorum %s %s --vault %s", kind.Word(), verb, vault)
}
