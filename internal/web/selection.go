package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// selection is the part of a page that a request asks for by ?resources= and ?exclude_resources=.
type selection struct {
	only, except []string // only: empty stands for all
}

// parseSelection reads both parameters. Each may be repeated and may hold several names, separated by commas. Names must
// be among the known ones: a scrape job with a typing error is to fail rather than to go without its series. Those of custom
// resources, which have dots, need not be: their kinds come and go, and a job that leaves one out must not fail with it.
func parseSelection(rawQuery string, known []string) (selection, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return selection{}, fmt.Errorf("query string: %w", err)
	}
	var s selection
	if s.only, err = names(query, "resources", known); err != nil {
		return selection{}, err
	}
	s.except, err = names(query, "exclude_resources", known)
	return s, err
}

func names(query url.Values, parameter string, known []string) ([]string, error) {
	var list []string
	for _, value := range query[parameter] {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			if !slices.Contains(known, name) && !strings.Contains(name, ".") {
				return nil, fmt.Errorf("%s: %q is not exported here; exported are %s", parameter, name, strings.Join(known, ", "))
			}
			list = append(list, name)
		}
	}
	return list, nil
}

func (s selection) include(resource string) bool {
	if slices.Contains(s.except, resource) {
		return false
	}
	return len(s.only) == 0 || slices.Contains(s.only, resource)
}
