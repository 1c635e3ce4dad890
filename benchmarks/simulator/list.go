package simulator

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// list returns one page of a list, with the resourceVersion semantics of
// https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
func (s *storage) list(selected selector, options metainternalversion.ListOptions) (metav1.ListMeta, []*object, error) {
	var meta metav1.ListMeta
	var token continueToken
	var state snapshot
	var err error
	if options.Continue == "" {
		state, err = s.listState(options)
	} else if token, err = parseContinue(options.Continue); err != nil {
		err = apierrors.NewBadRequest("continue key is not valid: " + err.Error())
	} else {
		state, err = s.continuedState(token)
	}
	if err != nil {
		return meta, nil, err
	}
	limit := options.Limit
	if options.ResourceVersion == "0" {
		limit = 0 // as in the watch cache
	}
	items, remaining := selected.page(state, token.last(), limit)
	meta.ResourceVersion = formatVersion(state.resourceVersion)
	if remaining > 0 {
		meta.Continue = newContinue(state.resourceVersion, items[len(items)-1].objectKey).String()
		if selected.everything() {
			meta.RemainingItemCount = &remaining
		}
		s.keep(state)
	}
	if !selected.shard.empty() {
		meta.ShardInfo = &metav1.ShardInfo{Selector: selected.shard.text}
	}
	return meta, items, nil
}

// listState returns the snapshot for the first page of a list.
func (s *storage) listState(options metainternalversion.ListOptions) (snapshot, error) {
	wanted, err := parseVersion(options.ResourceVersion)
	if err != nil {
		return snapshot{}, err
	}
	state := s.state()
	if wanted > state.resourceVersion {
		return snapshot{}, tooLargeVersion(wanted, state.resourceVersion)
	}
	legacyExact := options.ResourceVersionMatch == "" && options.Limit > 0 && wanted != 0
	if options.ResourceVersionMatch != metav1.ResourceVersionMatchExact && !legacyExact {
		return state, nil
	}
	state, ok := s.at(wanted)
	if !ok {
		return snapshot{}, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
	}
	return state, nil
}

// continuedState returns the snapshot for a further page of a list.
func (s *storage) continuedState(token continueToken) (snapshot, error) {
	if token.ResourceVersion == continueInconsistent {
		return s.state(), nil
	}
	version := uint64(token.ResourceVersion)
	if current := s.revision.Load(); version > current {
		return snapshot{}, tooLargeVersion(version, current)
	}
	if state, ok := s.at(version); ok {
		return state, nil
	}
	expired := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list. " +
		"Start a new list without it, or use the continue token of this answer to continue with the current state.")
	token.ResourceVersion = continueInconsistent
	expired.ErrStatus.Continue = token.String()
	return snapshot{}, expired
}

// continueToken has the encoding of a kube-apiserver's token, which clients must
// treat as opaque. StartKey is the "namespace/name" of the last object served,
// followed by a zero byte.
type continueToken struct {
	APIVersion      string `json:"v"`
	ResourceVersion int64  `json:"rv"`
	StartKey        string `json:"start"`
}

const (
	continueVersion      = "meta.k8s.io/v1"
	continueInconsistent = -1 // continue with the current state
)

func newContinue(resourceVersion uint64, last objectKey) continueToken {
	start := last.namespace + "/" + last.name + "\x00"
	return continueToken{APIVersion: continueVersion, ResourceVersion: int64(resourceVersion), StartKey: start}
}

// last returns the key of the last object served. It is empty for the zero token.
func (t continueToken) last() objectKey {
	namespace, name, _ := strings.Cut(strings.TrimSuffix(t.StartKey, "\x00"), "/")
	return objectKey{namespace: namespace, name: name}
}

func (t continueToken) String() string {
	text, _ := json.Marshal(t) // strings and a number can always be encoded
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseContinue(text string) (t continueToken, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	switch {
	case err != nil:
	case t.APIVersion != continueVersion:
		err = fmt.Errorf("server does not recognize this encoded version %q", t.APIVersion)
	case t.ResourceVersion == 0 || t.ResourceVersion < continueInconsistent:
		err = errors.New("incorrect encoded start resourceVersion")
	case !strings.Contains(t.StartKey, "/"):
		err = errors.New("encoded start key has no namespace")
	}
	return t, err
}

func formatVersion(version uint64) string { return strconv.FormatUint(version, 10) }

// parseVersion parses a resourceVersion. The empty string is 0.
func parseVersion(text string) (uint64, error) {
	version, err := strconv.ParseUint(cmp.Or(text, "0"), 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion %q is not valid: %v", text, err))
	}
	return version, nil
}
