package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestNegotiateEncoding(t *testing.T) {
	for name, c := range map[string]struct {
		accept []string
		want   string
	}{
		"no header":              {nil, "identity"},
		"empty":                  {[]string{""}, "identity"},
		"Prometheus":             {[]string{"gzip"}, "gzip"},
		"Prometheus, no gzip":    {[]string{"identity"}, "identity"},
		"a browser":              {[]string{"gzip, deflate, br, zstd"}, "gzip"},
		"only others":            {[]string{"br, zstd"}, "identity"},
		"gzip refused":           {[]string{"gzip;q=0"}, "identity"},
		"gzip refused, any else": {[]string{"gzip;q=0, *;q=1"}, "identity"},
		"refused with decimals":  {[]string{"gzip; q=0.000"}, "identity"},
		"any":                    {[]string{"*"}, "gzip"},
		"any refused":            {[]string{"*;q=0"}, "identity"},
		"weights for gzip":       {[]string{"identity;q=0.5, gzip;q=0.8"}, "gzip"},
		"weights for identity":   {[]string{"gzip;q=0.5, identity;q=0.8"}, "identity"},
		"equal":                  {[]string{"identity, gzip"}, "gzip"},
		"both refused":           {[]string{"gzip;q=0, identity;q=0"}, "identity"},
		"old name":               {[]string{"x-gzip"}, "gzip"},
		"upper case":             {[]string{"GZIP;Q=1"}, "gzip"},
		"repeated header":        {[]string{"br", "gzip"}, "gzip"},
		"weight is no number":    {[]string{"gzip;q=x"}, "identity"},
		"weight is NaN":          {[]string{"gzip;q=NaN"}, "identity"},
		"weight above one":       {[]string{"gzip;q=2"}, "identity"},
		"another parameter":      {[]string{"gzip;level=1"}, "gzip"},
		"a name that holds gzip": {[]string{"gzipEncoding"}, "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := negotiateEncoding(c.accept); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// FuzzNegotiateEncoding checks that only a header with gzip or * selects gzip, and compares well-formed headers with
// the grammar of RFC 9110.
func FuzzNegotiateEncoding(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Add("identity, gzip;q=0.9, br")
	f.Fuzz(func(t *testing.T, accept string) {
		got := negotiateEncoding([]string{accept})
		named := strings.Contains(strings.ToLower(accept), "gzip") || strings.Contains(accept, "*")
		if got != identity && (got != gzipEncoding || !named) {
			t.Errorf("%q: got %q, which the header does not name", accept, got)
		}
		if want, ok := bestEncoding(accept); ok && got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	})
}

var weighted = regexp.MustCompile(`^[ \t]*([-!#$%&'*+.^_\x60|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*$`)

// bestEncoding reads a header by the grammar; false if it is malformed or names a coding twice.
func bestEncoding(accept string) (encoding, bool) {
	quality := map[string]float64{}
	for _, clause := range strings.Split(accept, ",") {
		m := weighted.FindStringSubmatch(clause)
		if m == nil {
			return "", false
		}
		name, q := strings.TrimPrefix(strings.ToLower(m[1]), "x-"), 1.0
		if _, twice := quality[name]; twice {
			return "", false
		}
		if m[2] != "" {
			q, _ = strconv.ParseFloat(m[2], 64)
		}
		quality[name] = q
	}
	gzipQ, given := quality["gzip"]
	if !given {
		gzipQ = quality["*"]
	}
	if gzipQ > 0 && gzipQ >= quality["identity"] {
		return gzipEncoding, true
	}
	return identity, true
}
