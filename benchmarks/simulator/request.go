package simulator

import (
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metainternalversionscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metainternalversionvalidation "k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// location is what the path of a request names.
type location struct {
	schema.GroupVersionResource          // Resource is empty for a discovery document
	objectKey                            // both parts may be empty
	rest                        []string // segments that nothing is known about
}

// parsePath reads /api/v1/… and /apis/group/version/….
func parsePath(path string) (location, bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	var at location
	switch {
	case segments[0] == "api" && len(segments) >= 2:
		at.Version, segments = segments[1], segments[2:]
	case segments[0] == "apis" && len(segments) >= 3:
		at.Group, at.Version, segments = segments[1], segments[2], segments[3:]
	default:
		return at, false
	}
	if len(segments) >= 3 && segments[0] == "namespaces" {
		at.namespace, segments = segments[1], segments[2:]
	}
	if len(segments) > 0 {
		at.Resource, segments = segments[0], segments[1:]
	}
	if len(segments) > 0 {
		at.name, segments = segments[0], segments[1:]
	}
	at.rest = segments
	return at, true
}

// parseListOptions reads, defaults and validates the query with the code that
// a kube-apiserver uses; watchList is its feature gate of that name.
func parseListOptions(r *http.Request, watchList bool) (metainternalversion.ListOptions, error) {
	var options metainternalversion.ListOptions
	codec := metainternalversionscheme.ParameterCodec
	if err := codec.DecodeParameters(r.URL.Query(), metav1.SchemeGroupVersion, &options); err != nil {
		return options, apierrors.NewBadRequest(err.Error())
	}
	metainternalversion.SetListOptionsDefaults(&options, watchList)
	if errs := metainternalversionvalidation.ValidateListOptions(&options, watchList); len(errs) > 0 {
		return options, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	return options, nil
}
