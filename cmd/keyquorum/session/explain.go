package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

// refused is the code with which the program ends when a vault refuses, or none answers.
const refused = 2

// Explain is what went wrong with a call about an object of a kind, as one line that says what to
// do next. It holds nothing of what was sent.
func (v *Vault) Explain(err error, kind reference.Kind, name string) error {
	var answer *azcore.ResponseError
	var identity *azidentity.AuthenticationFailedError
	unreached := v.nodes.failed.Load() // the SDK keeps only its text when a token was asked for
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return console.Exit(1, errors.New("interrupted: it may have been done, or not"))
	case errors.As(err, &answer):
		return console.Exit(refused, v.explained(answer, kind, name))
	case unreached != nil:
		return console.Exit(refused, unreached)
	case errors.As(err, &identity) && identity.RawResponse != nil:
		return console.Exit(refused, tokenRefused(identity.RawResponse, v.words))
	}
	return console.Exit(refused, err)
}

// notesOf is the body of an error.
type notesOf struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   struct {
			Code string `json:"code"`
		} `json:"innererror"`
	} `json:"error"`
}

func (v *Vault) explained(answer *azcore.ResponseError, kind reference.Kind, name string) error {
	var notes notesOf
	if answer.RawResponse != nil {
		if body, err := runtime.Payload(answer.RawResponse); err == nil {
			_ = json.Unmarshal(body, &notes) // what is not as Azure has it has no code
		}
	}
	said := firstSentences(notes.Error.Message)
	if said == "" {
		said = fmt.Sprintf(
			"the vault answered %d %s",
			answer.StatusCode,
			http.StatusText(answer.StatusCode),
		)
	}
	advice := v.advice(answer.StatusCode, notes.Error.Code, notes.Error.Inner.Code, kind, name)
	return fmt.Errorf("%s (%d)%s", said, answer.StatusCode, advice)
}

// advice is what to do next about an answer, with "; " before it, or nothing.
func (v *Vault) advice(status int, code, inner string, kind reference.Kind, name string) string {
	if v.words.elsewhere {
		return v.adviceElsewhere(status)
	}
	word, at := kind.Word(), "--vault "+v.Name
	switch {
	case code == "VaultNotFound":
		return "; look at the vault's name, or make it: keyquorum vault create " + v.Name
	case inner == "ObjectIsDeletedButRecoverable":
		return fmt.Sprintf("; keyquorum %s recover %s %s, or purge", word, name, at)
	case strings.HasSuffix(code, "NotFound") && status == http.StatusNotFound:
		return fmt.Sprintf("; keyquorum %s list %s shows what there is", word, at)
	case inner == "SecretDisabled" || inner == "KeyDisabled":
		return fmt.Sprintf("; keyquorum %s set-attributes %s --enabled %s", word, name, at)
	case strings.HasPrefix(inner, "ForbiddenBy") || inner == "AccessDenied":
		return fmt.Sprintf(
			"; an operator grants it: keyquorum grant set %s APP --%s …",
			v.Name,
			kind,
		)
	case status == http.StatusUnauthorized:
		return "; look at " + v.words.caller
	case status == http.StatusServiceUnavailable:
		return "; no node that was tried can serve: an operator unseals one (keyquorum status shows them)"
	case status == http.StatusTooManyRequests:
		return "; try again later"
	}
	return ""
}

// links are Azure's "For help resolving this issue, please see …" and what follows.
var links = regexp.MustCompile(
	`(?s)\s*(For help resolving|To troubleshoot|If you recently deleted).*$`,
)

// firstSentences is a message without links to Microsoft's pages, on one line.
func firstSentences(message string) string {
	message = strings.Join(strings.Fields(links.ReplaceAllString(message, "")), " ")
	return strings.TrimSuffix(message, ".")
}

// tokenRefused is why an application got no token.
func tokenRefused(answer *http.Response, w words) error {
	var notes struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if body, err := runtime.Payload(answer); err == nil {
		_ = json.Unmarshal(body, &notes)
	}
	host := "the authority"
	if answer.Request != nil {
		host = answer.Request.URL.Host
	}
	if answer.StatusCode == http.StatusServiceUnavailable {
		return fmt.Errorf(
			"no token from %s (503): no node that was tried can serve: an operator unseals one "+
				"(keyquorum status shows them)",
			host,
		)
	}
	said := firstSentences(notes.Description)
	if said == "" {
		said = http.StatusText(answer.StatusCode)
	}
	return fmt.Errorf(
		"no token from %s: %s (%d); look at %s",
		host,
		said,
		answer.StatusCode,
		w.caller,
	)
}
