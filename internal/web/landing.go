package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

// landingFiles has the landing page, and the style sheet that it shares with the status page.
//
//go:embed landing.html statuspage/assets/app.css
var landingFiles embed.FS

// landing is the content of a landing page.
type landing struct {
	Description, Version string
	Links                []link
}

// link is a link of a landing page. Paths are relative, so that the page works behind a proxy that
// changes its path.
type link struct{ Path, Name, Meaning string }

// handler returns a handler of the page. It fails only if the page is broken.
func (l landing) handler() (http.HandlerFunc, error) {
	page, err := template.ParseFS(landingFiles, "landing.html")
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	style, err := landingFiles.ReadFile("statuspage/assets/app.css")
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	data := struct {
		landing
		Style template.CSS
	}{l, template.CSS(style)}
	var text bytes.Buffer
	if err := page.Execute(&text, data); err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
		_, _ = w.Write(text.Bytes()) // a client that left needs no response
	}, nil
}
