package session

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

type onceKey struct{}

// throttlings is how often an answer that takes nothing just now (429) is waited out.
const throttlings = 8

// Once is for a change of which the caller looks whether it was done, when nobody knows (InDoubt). It
// is sent again only where it is certain that it was not done.
func Once(ctx context.Context) context.Context {
	return policy.WithRetryOptions(context.WithValue(ctx, onceKey{}, true), policy.RetryOptions{
		MaxRetries: throttlings,
		RetryDelay: time.Second,
		TryTimeout: time.Minute,
		ShouldRetry: func(answer *http.Response, err error) bool {
			return err == nil && answer.StatusCode == http.StatusTooManyRequests
		},
	})
}

// Patient is for one of many requests, which may meet throttling more often than a single one.
func Patient(ctx context.Context) context.Context {
	many := retries
	many.MaxRetries = throttlings
	return policy.WithRetryOptions(ctx, many)
}

func isOnce(r *http.Request) bool { return r.Context().Value(onceKey{}) != nil }
