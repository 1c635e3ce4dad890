package fleet

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOlderVersionOfTheObjectIsIgnored(t *testing.T) {
	b := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1)}
	version := func(v, data string) *corev1.ConfigMap {
		object := emptyConfigMap()
		object.ResourceVersion, object.Data = v, map[string]string{"v": data}
		return object
	}
	for _, object := range []any{version("9", "new"), version("10", "newer"), version("9", "new"), nil, pod("fleet", nil)} {
		if err := errors.Join(b.Add(object), b.Update(object)); err != nil {
			t.Error(err)
		}
	}
	if is := b.read(); is.err != nil || !is.known || is.object.Data["v"] != "newer" {
		t.Errorf("%+v", is)
	}
	b.listed(&corev1.ConfigMapList{}, b.held())
	if is := b.read(); !is.known || !errors.Is(is.err, errMissing) {
		t.Errorf("%+v", is)
	}
}

// The parsed contents are reused until the object changes.
func TestEachVersionOfTheTopologyIsParsedOnce(t *testing.T) {
	s := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1)}
	object := configMapWith(topology{Generation: 4, Active: 3})
	object.Data[reportKey(1)] = `{"holds":true}`
	s.put(object)
	first := s.read()
	first.reports[77] = replicaReport{} // marks the parsed contents
	if _, marked := s.read().reports[77]; !marked {
		t.Error("the same version was parsed twice")
	}
	next := object.DeepCopy()
	next.ResourceVersion = "2"
	s.put(next)
	if _, marked := s.read().reports[77]; marked {
		t.Error("another version was not parsed")
	}
}

// The answer to a read is at least as new as the object that was held when the read began.
func TestReadWinsOverTheWatch(t *testing.T) {
	version := func(v string) *corev1.ConfigMap {
		object := emptyConfigMap()
		object.ResourceVersion = v
		return object
	}
	s := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1), relist: make(chan struct{}, 1)}
	s.put(version("9"))
	for i, c := range []struct {
		read, before string
		held         string
		rewinds      int
	}{
		{"9", "9", "9", 0},
		{"10", "9", "10", 0},
		{"9", "9", "10", 0}, // the watch delivered a newer version during the read
		{"5", "9", "5", 1},
		{"6", "5", "6", 1},
	} {
		s.take(version(c.read), version(c.before))
		if now := s.read(); now.object.ResourceVersion != c.held || now.rewinds != c.rewinds {
			t.Errorf("%d: version %s is held after %d rewinds, want %s after %d", i, now.object.ResourceVersion, now.rewinds, c.held, c.rewinds)
		}
	}
	if len(s.relist) != 1 {
		t.Error("the watch is not restarted, and stays silent until the versions catch up")
	}
}
