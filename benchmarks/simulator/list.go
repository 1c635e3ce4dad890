package simulator

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// list returns one page of a list, with the resourceVersion semantics of
// https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list,
// except that no list can request an exact resourceVersion.
func (s *storage) list(selected selector, options metainternalversion.ListOptions) (metav1.ListMeta, []*object, error) {
	var meta metav1.ListMeta
	state, after := s.state(), objectKey{}
	wanted, err := parseVersion(options.ResourceVersion)
	switch {
	case err != nil:
	case options.Continue != "":
		state, after, err = s.continued(options.Continue)
	case wanted > state.resourceVersion:
		err = tooLargeVersion(wanted, state.resourceVersion)
	}
	if err != nil {
		return meta, nil, err
	}
	limit := options.Limit
	if options.ResourceVersion == "0" {
		limit = 0 // as in the watch cache
	}
	items, remaining := selected.page(state, after, limit)
	meta.ResourceVersion = formatVersion(state.resourceVersion)
	if remaining > 0 {
		meta.Continue = formatContinue(state.resourceVersion, items[len(items)-1].objectKey)
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

// formatContinue returns the continue token of a list whose last object has a key.
func formatContinue(version uint64, last objectKey) string {
	return fmt.Sprintf("%d/%s/%s", version, last.namespace, last.name)
}

// continued returns the snapshot for a further page of a list, and the key of the
// last object served.
func (s *storage) continued(token string) (snapshot, objectKey, error) {
	text, key, _ := strings.Cut(token, "/")
	namespace, name, ok := strings.Cut(key, "/")
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !ok {
		return snapshot{}, objectKey{}, apierrors.NewBadRequest("continue key is not valid: " + token)
	}
	last := objectKey{namespace: namespace, name: name}
	if current := s.revision.Load(); version > current {
		return snapshot{}, last, tooLargeVersion(version, current)
	}
	state, ok := s.at(version)
	if !ok {
		return state, last, apierrors.NewResourceExpired(
			"The provided continue parameter is too old to display a consistent list. Start a new list without it.")
	}
	return state, last, nil
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
