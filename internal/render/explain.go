package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/statefleet/statefleet/resources"
)

// explain writes the lines of an object, each preceded by the object and the source of its family.
func (o Options) explain(w io.Writer, k *kind, object Object, l *resources.Lines) error {
	name := object.Name
	if object.Namespace != "" {
		name = object.Namespace + "/" + name
	}
	from := 0
	for i, family := range k.renderer.Families() {
		source := k.name
		if k.custom {
			source = strings.Join(o.Custom.Sources(object.GVK, family.Name), "; ")
		}
		for line := range strings.Lines(string(l.Buf[from:l.Ends[i]])) {
			if _, err := fmt.Fprintf(w, "%s %s %s | %s | %s", object.Place, object.GVK.Kind, name, source, line); err != nil {
				return err
			}
		}
		from = l.Ends[i]
	}
	return nil
}
