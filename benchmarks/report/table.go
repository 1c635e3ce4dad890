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

// Table writes rows, the first of them the head, as Markdown with columns that
// line up.
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

// Number writes a number with about three digits that count.
func Number(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Thousands writes a number for the name of a file: 20k.
func Thousands(n int) string {
	if n > 0 && n%1000 == 0 {
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}

// Renew replaces what a file has between two marks of that name,
// "<!-- NAME: begin -->" and "<!-- NAME: end -->", each on a line of its own.
func Renew(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	before, rest, begins := strings.Cut(string(old), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s has no %q with its end", file, strings.TrimSpace(begin))
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644)
}

// Save writes NAME.md, with the name as its title, and NAME.json in a directory,
// which it makes.
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
