package watch

import (
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// TestObjectWithoutUIDIsShardedByItsName checks that all replicas agree on the owner of such an object.
func TestObjectWithoutUIDIsShardedByItsName(t *testing.T) {
	t.Parallel()
	named := wire.Meta{Namespace: []byte("shop"), Name: []byte("web")}
	if got, want := hash(named), shard.Hash("shop/web"); got != want {
		t.Errorf("got hash %#x, want that of shop/web, %#x", got, want)
	}
	named.UID = []byte("u")
	if got, want := hash(named), shard.Hash("u"); got != want {
		t.Errorf("got hash %#x, want that of the UID, %#x", got, want)
	}
}
