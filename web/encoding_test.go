package web

import (
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
		"Prometheus, no packing": {[]string{"identity"}, "identity"},
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
		"a name that holds gzip": {[]string{"gzipped"}, "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := negotiateEncoding(c.accept); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzNegotiateEncoding(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Fuzz(func(t *testing.T, accept string) {
		named := strings.Contains(strings.ToLower(accept), "gzip") || strings.Contains(accept, "*")
		if got := negotiateEncoding([]string{accept}); got != identity && (got != gzipped || !named) {
			t.Errorf("%q: %q was not asked for", accept, got)
		}
	})
}
