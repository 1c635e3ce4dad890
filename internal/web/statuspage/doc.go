// Package statuspage is the page that people look at: how the fleet stands, and what this replica of it holds, serves and costs.
//
// A [Handler] shows an [Overview] as HTML and as JSON. The page needs no script: it is complete when it arrives. A small script
// then fetches the part of it that changes every few seconds and takes over what differs. Everything comes from the process
// itself, and a Content-Security-Policy keeps browsers from loading or running anything else.
//
//	/                     the page
//	/-/fleet              the same as JSON
//	/-/fleet/view         the part of the page that changes
//	/-/fleet/app.css, …   what the page is made of
//
// All links are relative, so that the page works behind a proxy that puts it elsewhere, such as that of kubectl.
package statuspage
