package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

// scene is a history of ConfigMaps, whose lines contain the version.
type scene struct {
	*History
	t        *testing.T
	renderer *resources.Renderer
}

func newScene(t *testing.T) *scene {
	for _, k := range resources.All() {
		if k.Name() == "configmaps" {
			r, err := k.Renderer(resources.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			return &scene{New(Views{{"configmaps": r}}), t, r}
		}
	}
	t.Fatal("resources.All has no configmaps")
	return nil
}

func configMap(name string, version int) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, ResourceVersion: fmt.Sprint(version)}}
}

func (s *scene) put(name string, version int) { s.putAs(name, name, version) }

func (s *scene) putAs(name, uid string, version int) {
	raw, err := configMap(name, version).Marshal()
	if err == nil {
		err = s.Put(Key{"configmaps", "default", name}, uid, uint64(version), raw)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) delete(name string, version int) {
	if err := s.Delete(Key{"configmaps", "default", name}, uint64(version)); err != nil {
		s.t.Fatal(err)
	}
}

// exposition returns an exposition of objects at versions. of has names and versions in turn.
func (s *scene) exposition(of ...any) Exposition {
	var text bytes.Buffer
	text.WriteString("# TYPE a gauge\n")
	for pair := range slices.Chunk(of, 2) {
		raw, err := configMap(pair[0].(string), pair[1].(int)).Marshal()
		var lines resources.Lines
		if err == nil {
			err = s.renderer.Render(wire.Protobuf, raw, &lines)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		text.Write(lines.Buf)
	}
	metrics, err := Kinds{"configmaps": {"kube_configmap_", "configmap"}}.Read(text.Bytes())
	if err != nil {
		s.t.Fatal(err)
	}
	return metrics
}

func all(uint64) bool { return true }

func TestCheckAcceptsPossibleExpositions(t *testing.T) {
	s := newScene(t)
	r := s.Reader(0, all, nil)
	check := func(of ...any) {
		t.Helper()
		if err := r.Check(s.exposition(of...)); err != nil {
			t.Error(err)
		}
	}
	check()
	s.put("a", 1)
	s.put("b", 2)
	check()
	check("a", 1)
	s.put("a", 3)
	check("a", 1, "b", 2)
	check("a", 3, "b", 2)
	s.delete("a", 4)
	s.put("a", 5)
	check("a", 3, "b", 2)
	check("b", 2)
	if r.Equal(s.exposition("b", 2)) == nil {
		t.Error("Equal accepts an exposition without a, which exists")
	}
	check("b", 2, "a", 5)
	if err := r.Equal(s.exposition("a", 5, "b", 2)); err != nil {
		t.Error(err)
	}
}

func TestCheckRejectsImpossibleExpositions(t *testing.T) {
	for want, of := range map[string][]any{
		"went back from version 3 to 1": {"a", 1, "b", 2},
		"is missing":                    {"a", 3},
		"matches none of its versions":  {"a", 4, "b", 2},
		"is exposed but never existed":  {"a", 3, "b", 2, "c", 1},
		"default/a matches none":        {"a", 3, "a", 3, "b", 2}, // duplicate lines
	} {
		s := newScene(t)
		s.put("a", 1)
		s.put("b", 2)
		s.put("a", 3)
		r := s.Reader(0, all, nil)
		if err := r.Check(s.exposition("a", 3, "b", 2)); err != nil {
			t.Fatal(err)
		}
		if err := r.Check(s.exposition(of...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got error %v, want %q", of, err, want)
		}
	}
}

func TestDeletedObjectThatComesBackIsFound(t *testing.T) {
	s := newScene(t)
	s.put("a", 1)
	s.delete("a", 2)
	r := s.Reader(0, all, s.Now())
	if err := r.Check(s.exposition("a", 1)); err == nil {
		t.Error("Check accepts an object that was deleted before the exposition")
	}
}

func TestObjectsOfOtherReplicasMustNotBeExposed(t *testing.T) {
	s := newScene(t)
	s.put("a", 1)
	r := s.Reader(0, func(uint64) bool { return false }, s.Now())
	if err := r.Equal(s.exposition()); err != nil {
		t.Error(err)
	}
	if r.Check(s.exposition("a", 1)) == nil {
		t.Error("Check accepts an object of another replica")
	}
}

func TestVersionsGoForward(t *testing.T) {
	s := newScene(t)
	s.put("a", 2)
	if s.Delete(Key{"configmaps", "default", "a"}, 2) == nil {
		t.Error("Delete accepts a version that is not greater than the previous one")
	}
}

// A replica that gains objects has listed them. All other objects may be as old as before.
func TestGainedObjectsAreAsOldAsTheirList(t *testing.T) {
	s := newScene(t)
	s.put("held", 1)
	s.put("gained", 2)
	s.put("deleted", 3)
	s.put("held", 4)
	s.put("gained", 5)
	s.delete("deleted", 6)
	gained := func(hash uint64) bool { return hash != shard.Hash("held") }
	f := func(want bool, of ...any) {
		t.Helper()
		r := s.Reader(0, all, s.Gained(nil, s.Now(), gained))
		if err := r.Check(s.exposition(of...)); (err == nil) != want {
			t.Errorf("%v: got error %v, want accepted %t", of, err, want)
		}
	}
	f(true, "held", 4, "gained", 5)
	f(true, "held", 1, "gained", 5)
	f(false, "held", 4, "gained", 2)
	f(false, "held", 4, "gained", 5, "deleted", 3)

	// The name passes to an object whose hash was held before, and then again to one whose hash is gained.
	s.delete("gained", 7)
	s.putAs("gained", "held", 8)
	s.delete("gained", 9)
	s.putAs("gained", "gained", 10)
	f(true, "held", 4, "gained", 8)
	f(true, "held", 4, "gained", 10)
	f(false, "held", 4, "gained", 5)
}
