package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Table writes a Markdown table with aligned columns. The first row is the header, and each other row must have as
// many cells.
func Table(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(cells func(i int) string) {
		var b strings.Builder
		for i := range widths {
			cell := cells(i)
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		_, _ = fmt.Fprintln(w, b.String()+"|")
	}
	for n, row := range rows {
		line(func(i int) string { return row[i] })
		if n == 0 {
			line(func(i int) string { return strings.Repeat("-", widths[i]) })
		}
	}
}

// Number formats a number that is not negative with about three significant digits.
func Number(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Thousands formats a number for the name of a file, such as 20k.
func Thousands(n int) string {
	if n > 0 && n%1000 == 0 {
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}

// Renew replaces the text between the markers "<!-- NAME: begin -->" and "<!-- NAME: end -->" of a file. Each marker
// must be on a separate line.
func Renew(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	before, rest, begins := strings.Cut(string(old), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s must have the markers %q and %q, in this order", file, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644)
}

// Save writes the files NAME.md, with the name as its title, and NAME.json to a directory. It creates the directory if
// necessary.
func Save[T any](dir, name, markdown string, value T) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte("# "+name+"\n\n"+markdown), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(body, '\n'), 0o644)
}
