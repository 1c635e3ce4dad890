package web

import (
	"strconv"
	"strings"
)

// encoding is a content coding of the page.
type encoding string

// The values are those of the Content-Encoding header and of the label in self-metrics.
const (
	gzipped  encoding = "gzip"
	identity encoding = "identity"
)

// negotiateEncoding chooses between gzip and identity by the Accept-Encoding headers (RFC 9110, section 12.5.3): gzip when
// it is accepted and not liked less than identity. A client that refuses both gets identity, which every client reads.
func negotiateEncoding(accept []string) encoding {
	const absent = -1.0
	packed, plain, others := absent, absent, absent
	for clause := range strings.SplitSeq(strings.ToLower(strings.Join(accept, ",")), ",") {
		coding, parameters, _ := strings.Cut(clause, ";")
		q := qValue(parameters)
		switch strings.TrimSpace(coding) {
		case "gzip", "x-gzip":
			packed = max(packed, q)
		case "identity":
			plain = q
		case "*":
			others = q
		}
	}
	if packed == absent {
		packed = others
	}
	if packed > 0 && packed >= plain {
		return gzipped
	}
	return identity
}

// qValue reads the weight among the parameters of one clause; 1 when it has none, 0 (refused) when it is no number.
func qValue(parameters string) float64 {
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
