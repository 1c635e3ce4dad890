package simulator

import (
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

// page is one answer to a list.
type page struct {
	meta  metav1.ListMeta
	items snapshot
}

// list selects a page, with the resourceVersion semantics of
// https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
func (c *collection) list(selected selector, options metainternalversion.ListOptions) (page, error) {
	items, version, err := c.listState(options)
	if err != nil {
		return page{}, err
	}
	rest := items
	if options.Continue != "" {
		token, err := parseContinue(options.Continue)
		if err != nil {
			return page{}, apierrors.NewBadRequest(err.Error())
		}
		rest = items.after(token.last())
	}
	limit := options.Limit
	if options.ResourceVersion == "0" {
		limit = 0 // as the watch cache does
	}
	p := page{meta: metav1.ListMeta{ResourceVersion: formatVersion(version)}}
	var more bool
	if p.items, more = selected.of(rest, limit); more {
		p.meta.Continue = continueToken{APIVersion: continueVersion, ResourceVersion: int64(version)}.after(p.items)
		if selected.everything() {
			remaining := int64(len(rest.in(selected.namespace)) - len(p.items))
			p.meta.RemainingItemCount = &remaining
		}
		c.keep(pagedList{resourceVersion: version, items: items})
	}
	if !selected.shard.empty() {
		p.meta.ShardInfo = &metav1.ShardInfo{Selector: selected.shard.text}
	}
	return p, nil
}

// listState is the state that a list is to show, and its resourceVersion.
func (c *collection) listState(options metainternalversion.ListOptions) (snapshot, uint64, error) {
	if options.Continue != "" {
		return c.continuedState(options.Continue)
	}
	wanted, err := parseVersion(options.ResourceVersion)
	if err != nil {
		return nil, 0, err
	}
	items, version, _ := c.state()
	if wanted > version {
		return nil, 0, tooLargeVersion(wanted, version)
	}
	legacyExact := options.ResourceVersionMatch == "" && options.Limit > 0 && wanted != 0
	if options.ResourceVersionMatch == metav1.ResourceVersionMatchExact || legacyExact {
		items, ok := c.at(wanted)
		if !ok {
			return nil, 0, apierrors.NewResourceExpired("The resourceVersion for the provided list is too old.")
		}
		return items, wanted, nil
	}
	return items, version, nil
}

func (c *collection) continuedState(text string) (snapshot, uint64, error) {
	token, err := parseContinue(text)
	if err != nil {
		return nil, 0, apierrors.NewBadRequest(err.Error())
	}
	if token.ResourceVersion == continueInconsistent {
		items, version, _ := c.state()
		return items, version, nil
	}
	version := uint64(token.ResourceVersion)
	if current := c.revision.Load(); version > current {
		return nil, 0, tooLargeVersion(version, current)
	}
	if items, ok := c.at(version); ok {
		return items, version, nil
	}
	expired := apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
		"Start a new list without it, or use the continue token of this answer to read on in the present state.")
	token.ResourceVersion = continueInconsistent
	expired.ErrStatus.Continue = token.String()
	return nil, 0, expired
}

// continueToken has the form that kube-apiservers use, which clients must
// treat as opaque. StartKey is "namespace/name" of the last object served and
// a zero byte.
type continueToken struct {
	APIVersion      string `json:"v"`
	ResourceVersion int64  `json:"rv"`
	StartKey        string `json:"start"`
}

const (
	continueVersion      = "meta.k8s.io/v1"
	continueInconsistent = -1 // read on in the present state
)

func (t continueToken) after(items snapshot) string {
	last := items[len(items)-1]
	t.StartKey = last.namespace + "/" + last.name + "\x00"
	return t.String()
}

func (t continueToken) last() objectKey {
	namespace, name, _ := strings.Cut(strings.TrimSuffix(t.StartKey, "\x00"), "/")
	return objectKey{namespace: namespace, name: name}
}

func (t continueToken) String() string {
	text, err := json.Marshal(t)
	if err != nil { // strings and a number cannot fail
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseContinue(text string) (continueToken, error) {
	var t continueToken
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return t, fmt.Errorf("continue key is not valid: %w", err)
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return t, fmt.Errorf("continue key is not valid: %w", err)
	}
	if t.APIVersion != continueVersion {
		return t, fmt.Errorf("continue key is not valid: server does not recognize this encoded version %q", t.APIVersion)
	}
	if t.ResourceVersion == 0 || t.ResourceVersion < continueInconsistent {
		return t, errors.New("continue key is not valid: incorrect encoded start resourceVersion")
	}
	if !strings.Contains(t.StartKey, "/") {
		return t, errors.New("continue key is not valid: encoded start key has no namespace")
	}
	return t, nil
}

func formatVersion(version uint64) string { return strconv.FormatUint(version, 10) }

// parseVersion reads a resourceVersion; the empty one is 0.
func parseVersion(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion %q is not valid: %v", text, err))
	}
	return version, nil
}
