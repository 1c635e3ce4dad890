package web

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// fleetPath is where the fleet page is: the same on the telemetry port, and on the other as a way to it.
const fleetPath = "/-/fleet"

func fleetLink(port int) toolkit.LandingLinks {
	return toolkit.LandingLinks{Address: fleetPath, Text: "Fleet", Description: "the state of the whole fleet, on port " + strconv.Itoa(port)}
}

// redirectToPort sends browsers to another port of the host that they have asked.
func redirectToPort(port int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		to := url.URL{Scheme: "http", Host: net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), Path: "/"}
		if r.TLS != nil {
			to.Scheme = "https"
		}
		http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
	}
}
