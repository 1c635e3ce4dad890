package web

import (
	"math"
	"strings"

	"github.com/munnerz/goautoneg"

	"github.com/statefleet/statefleet/store"
)

// offer is one of the forms of exposition text that clients ask for by media type and version.
type offer struct {
	format             store.Format
	mediaType, version string
}

const (
	textMediaType        = "text/plain"
	openMetricsMediaType = "application/openmetrics-text"
)

// dialects lists what is offered, the preferred one first; the last one is for clients that accept none of them.
// The two versions of a format do not differ in a byte of ours: 1.0.0 of the text format only adds quoted UTF-8 names.
func dialects() [4]offer {
	return [...]offer{
		{store.OpenMetrics, openMetricsMediaType, "1.0.0"},
		{store.OpenMetrics, openMetricsMediaType, "0.0.1"},
		{store.Text, textMediaType, "1.0.0"},
		{store.Text, textMediaType, "0.0.4"},
	}
}

// negotiated is a dialect together with what the client asked about the escaping of names.
type negotiated struct {
	offer
	escaping string // empty: not mentioned
}

// contentType is the value of the Content-Type header.
func (f negotiated) contentType() string {
	t := f.mediaType + "; version=" + f.version + "; charset=utf-8"
	if f.escaping != "" {
		t += "; escaping=" + f.escaping
	}
	return t
}

// name is the format as a label of self-metrics.
func (f negotiated) name() string {
	if f.format == store.OpenMetrics {
		return "openmetrics"
	}
	return "text"
}

// negotiate chooses the form that the Accept headers give the highest quality; the order in which a client lists its
// wishes has no meaning (RFC 9110, section 12.5.1). What we do not speak, such as protobuf, is passed over. A client
// that accepts nothing of ours, or names no type, gets text 0.0.4.
func negotiate(accept []string) negotiated {
	offers := dialects()
	best, quality := len(offers)-1, 0.0
	escaping := ""
	for _, clause := range goautoneg.ParseAccept(strings.ToLower(strings.Join(accept, ","))) {
		i, ok := match(offers, clause)
		if !ok || math.IsNaN(clause.Q) || clause.Q <= 0 || clause.Q < quality || clause.Q == quality && i > best {
			continue
		}
		best, quality, escaping = i, clause.Q, supportedEscaping(parameter(clause, "escaping"))
	}
	return negotiated{offer: offers[best], escaping: escaping}
}

// match returns the offer that a clause of an Accept header names. A wildcard stands for the last one.
func match(offers [4]offer, clause goautoneg.Accept) (int, bool) {
	mediaType, version := clause.Type+"/"+clause.SubType, parameter(clause, "version")
	switch {
	case mediaType == "*/*" || mediaType == "text/*":
		return len(offers) - 1, true
	case version == "" && mediaType == textMediaType:
		version = "0.0.4"
	case version == "" && mediaType == openMetricsMediaType:
		version = "0.0.1" // the only one when clients did not name versions yet
	}
	for i, o := range offers {
		if o.mediaType == mediaType && o.version == version {
			return i, true
		}
	}
	return 0, false
}

func parameter(clause goautoneg.Accept, name string) string {
	return strings.Trim(clause.Params[name], `"`)
}

// supportedEscaping returns the escaping that the answer may claim: one that leaves names of letters, digits, underscores and
// colons, which all of ours are, as they stand. The scheme "dots" does not: it doubles underscores.
func supportedEscaping(escaping string) string {
	switch escaping {
	case "allow-utf-8", "underscores", "values":
		return escaping
	default:
		return ""
	}
}
