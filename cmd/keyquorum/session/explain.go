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
	// The SDK keeps only the text of an error when a token was asked for, and none when it was
	// interrupted.
	unreached, unsure := v.nodes.failed.Load(), v.nodes.unsure.Load()
	switch {
	case err == nil:
		return nil
	case unsure != nil:
		return console.Exit(refused, fmt.Errorf("%w: look with %s before you make it again",
			unsure, unsure.look(kind, name, v.Name)))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.As(err, &answer):
		return console.Exit(refused, v.explained(answer, kind, name))
	case unreached != nil:
		return console.Exit(refused, unreached)
	case errors.As(err, &identity) && identity.RawResponse != nil:
		return console.Exit(refused, tokenRefused(identity.RawResponse, v.words))
	}
	return console.Exit(refused, err)
}

func (v *Vault) explained(answer *azcore.ResponseError, kind reference.Kind, name string) error {
	var notes struct{ Error azureError }
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
	return fmt.Errorf("%s (%d)%s", said, answer.StatusCode,
		v.advice(answer, notes.Error, kind, name))
}

// advice is what to do next about an answer, with "; " before it, or nothing.
func (v *Vault) advice(
	answer *azcore.ResponseError, said azureError, kind reference.Kind, name string,
) string {
	status, inner, word, at := answer.StatusCode, said.Inner.Code, kind.Word(), "--vault "+v.Name
	if v.words.elsewhere {
		return v.adviceElsewhere(status)
	}
	switch {
	case said.Code == "VaultNotFound":
		return "; look at the vault's name, or make it: keyquorum vault create " + v.Name
	case inner == "ObjectIsDeletedButRecoverable":
		return fmt.Sprintf("; keyquorum %s recover %s %s, or purge", word, name, at)
	case strings.HasSuffix(said.Code, "NotFound") && status == http.StatusNotFound:
		if strings.HasPrefix(pathOf(answer), "/deleted") {
			return fmt.Sprintf("; keyquorum %s list-deleted %s shows what was deleted", word, at)
		}
		return fmt.Sprintf("; keyquorum %s list %s shows what there is, list-deleted what was", word, at)
	case strings.HasSuffix(pathOf(answer), "/restore"):
		return restoring(status, word)
	case uses[inner] != "":
		return fmt.Sprintf("; keyquorum %s %s %s", word, fmt.Sprintf(uses[inner], name), at)
	case strings.HasPrefix(inner, "ForbiddenBy") || inner == "AccessDenied":
		return fmt.Sprintf("; an operator grants it: keyquorum grant set %s APP --%s …", v.Name, kind)
	case status == http.StatusUnauthorized:
		return "; look at " + v.words.caller
	case status == http.StatusServiceUnavailable:
		return "; no node that was tried can serve: an operator unseals one (keyquorum status shows them)"
	case status == http.StatusTooManyRequests:
		return "; try again later"
	case strings.Contains(said.Message, "combination is not supported"):
		return fmt.Sprintf("; keyquorum %s show %s %s says what it is", word, name, at)
	}
	return ""
}

// uses are what shows or changes why an object may not be used, by the refusal's inner code.
var uses = map[string]string{
	"SecretDisabled": "set-attributes %s --enabled", "KeyDisabled": "set-attributes %s --enabled",
	"KeyExpired":            "set-attributes %s --expires WHEN",
	"KeyNotYetValid":        "set-attributes %s --not-before WHEN",
	"KeyOperationForbidden": "show %s -field=operations",
}

// restoring is the advice for whoever restores.
func restoring(status int, word string) string {
	switch status {
	case http.StatusConflict:
		return "; a backup comes back where there is none of its name: delete and purge that, or name " +
			"another vault"
	case http.StatusBadRequest:
		return fmt.Sprintf("; it has to be what keyquorum %s backup has written, whole, of a vault of "+
			"the same cluster", word)
	}
	return ""
}

// pathOf is the path of the request that was answered.
func pathOf(answer *azcore.ResponseError) string {
	if answer.RawResponse == nil || answer.RawResponse.Request == nil {
		return ""
	}
	return answer.RawResponse.Request.URL.Path
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
