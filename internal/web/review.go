package web

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch/objects"
)

// Rate limits of the requests to the API server, for each kind of review. Reviews of known tokens and
// paths have separate limits of the same size.
const (
	reviewQPS   = 20
	reviewBurst = 50
)

// user is the owner of a token.
type user = authenticationv1.UserInfo

// reviewer makes decisions about callers. Its methods may be called concurrently.
type reviewer interface {
	// authenticate decides whether a token is accepted.
	authenticate(ctx context.Context, token string) (decision, error)
	// authorize decides whether a user may get a path.
	authorize(ctx context.Context, u user, path string) (decision, error)
}

// apiReviewer asks the API server, with TokenReview and SubjectAccessReview.
type apiReviewer struct {
	audiences []string // empty: the API server's own

	tokens rest.Interface
	access rest.Interface
}

// newAPIReviewer returns a reviewer with its own rate limit.
func newAPIReviewer(config *rest.Config, audiences []string) (*apiReviewer, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.RateLimiter = reviewQPS, reviewBurst, nil
	tokens, _, err := objects.NewRESTClient(config, authenticationv1.SchemeGroupVersion, &authenticationv1.TokenReview{})
	if err != nil {
		return nil, fmt.Errorf("client for token reviews: %w", err)
	}
	access, _, err := objects.NewRESTClient(config, authorizationv1.SchemeGroupVersion, &authorizationv1.SubjectAccessReview{})
	if err != nil {
		return nil, fmt.Errorf("client for access reviews: %w", err)
	}
	return &apiReviewer{audiences, tokens, access}, nil
}

func (a *apiReviewer) authenticate(ctx context.Context, token string) (decision, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: a.audiences}}
	if err := a.tokens.Post().Resource("tokenreviews").Body(review).Do(ctx).Into(review); err != nil {
		return decision{}, fmt.Errorf("token review: %w", err)
	}
	accepted := review.Status.Authenticated && a.inAudience(review.Status.Audiences)
	return decision{yes: accepted, user: review.Status.User}, nil
}

// inAudience reports whether one of the audiences of a token is ours. An API server without support for
// audiences returns none and has not compared them.
func (a *apiReviewer) inAudience(audiences []string) bool {
	return len(a.audiences) == 0 || slices.ContainsFunc(audiences, func(one string) bool { return slices.Contains(a.audiences, one) })
}

func (a *apiReviewer) authorize(ctx context.Context, u user, path string) (decision, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(u.Extra))
	for k, v := range u.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:                  u.Username,
		UID:                   u.UID,
		Groups:                u.Groups,
		Extra:                 extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}
	if err := a.access.Post().Resource("subjectaccessreviews").Body(review).Do(ctx).Into(review); err != nil {
		return decision{}, fmt.Errorf("access review: %w", err)
	}
	return decision{yes: review.Status.Allowed && !review.Status.Denied}, nil
}
