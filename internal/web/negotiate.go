package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"

	"github.com/statefleet/statefleet/store"
)

// negotiateFormat chooses the exposition format and the Content-Type by the Accept headers. A client
// that accepts neither OpenMetrics nor the text format gets the text format.
func negotiateFormat(accept []string) (format store.Format, contentType string) {
	// expfmt reads one header and is case-sensitive. Repeated headers are one list (RFC 9110, section
	// 5.3), and media types are case-insensitive.
	joined := http.Header{"Accept": {strings.ToLower(strings.Join(accept, ","))}}
	chosen := expfmt.NegotiateAccept(joined, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtText)
	if chosen.FormatType() == expfmt.TypeOpenMetrics {
		return store.OpenMetrics, string(chosen)
	}
	return store.Text, string(chosen)
}

// encoding is a content coding, as in the Content-Encoding header and in the label of metrics.
type encoding string

const (
	gzipEncoding encoding = "gzip"
	identity     encoding = "identity"
)

// negotiateEncoding chooses gzip or identity by the Accept-Encoding headers (RFC 9110, section
// 12.5.3): gzip if it is accepted with at least the weight of identity. A client that refuses both
// gets identity, which every client can read.
func negotiateEncoding(accept []string) encoding {
	const absent = -1.0
	gzipQ, identityQ, othersQ := absent, absent, absent
	for clause := range strings.SplitSeq(strings.ToLower(strings.Join(accept, ",")), ",") {
		coding, parameters, _ := strings.Cut(clause, ";")
		q := weight(parameters)
		switch strings.TrimSpace(coding) {
		case "gzip", "x-gzip":
			gzipQ = max(gzipQ, q)
		case "identity":
			identityQ = q
		case "*":
			othersQ = q
		}
	}
	if gzipQ == absent {
		gzipQ = othersQ
	}
	if gzipQ > 0 && gzipQ >= identityQ {
		return gzipEncoding
	}
	return identity
}

// weight returns the q parameter of a clause: 1 without one, 0 (refused) if it is invalid.
func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) != "q" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
