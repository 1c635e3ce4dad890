package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed landing.html
var landingTemplate string

// landingStyle is also the style sheet of the status page.
//
//go:embed statuspage/assets/app.css
var landingStyle string

// landingPage returns the handler of the landing page of the main port. It fails only if the page is
// broken.
func landingPage(o Options) (http.HandlerFunc, error) {
	page, err := template.New("landing page").Parse(landingTemplate)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := page.Execute(&text, struct {
		Options
		Style template.CSS
	}{o, template.CSS(landingStyle)}); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
		_, _ = w.Write(text.Bytes()) // a client that left needs no response
	}, nil
}
