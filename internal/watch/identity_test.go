package watch

import (
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// TestObjectWithoutUIDIsShardedByItsName checks that all replicas agree on the owner of such an object.
func TestObjectWithoutUIDIsShardedByItsName(t *testing.T) {
	t.Parallel()
	for text, hashed := range map[string]string{
		`{"metadata":{"namespace":"shop","name":"web"}}`:           "shop/web",
		`{"metadata":{"namespace":"shop","name":"web","uid":"u"}}`: "u",
	} {
		if o, err := newObject(wire.JSON, []byte(text)); err != nil || o.Hash != shard.Hash(hashed) {
			t.Errorf("%s: got hash %#x and error %v, want that of %s, %#x", text, o.Hash, err, hashed, shard.Hash(hashed))
		}
	}
}
