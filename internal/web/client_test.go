package web

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/util/cache"
)

func TestClientsAreAddressesOrNetworks(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80":          "192.0.2.1/32",
		"[::ffff:192.0.2.1]:80": "192.0.2.1/32", // IPv4 on a dual-stack socket
		"[2001:db8::1]:80":      "2001:db8::/64",
		"[2001:db8::ff:2]:1":    "2001:db8::/64",
		"[fe80::1%eth0]:80":     "fe80::/64",
		"@":                     "invalid Prefix", // a Unix socket
		"":                      "invalid Prefix",
	} {
		if got := clientOf(remote).network.String(); got != want {
			t.Errorf("%q: got %s, want %s", remote, got, want)
		}
	}
}

func TestOneClientGetsHalfOfTheSlots(t *testing.T) {
	s := newSlots(40)
	var taken []int
	for i := range 8 {
		n := 0
		for s.acquire(clientOf(fmt.Sprintf("192.0.2.%d:1", i))) {
			n++
		}
		taken = append(taken, n)
	}
	if got := fmt.Sprint(taken); got != "[20 10 5 3 1 1 0 0]" {
		t.Errorf("greedy clients hold %s slots, want [20 10 5 3 1 1 0 0]", got)
	}
	for i, n := range taken {
		for range n {
			s.release(clientOf(fmt.Sprintf("192.0.2.%d:1", i)))
		}
	}
	if s.free != 40 || len(s.held) != 0 {
		t.Errorf("after all releases: %d slots are free and %v are held, want 40 and none", s.free, s.held)
	}
}

func TestPeersWithoutAnAddressShareAllSlots(t *testing.T) {
	s := newSlots(3)
	for range 3 {
		if !s.acquire(client{}) {
			t.Error("a peer without an address got no slot, want one of three")
		}
	}
	if s.acquire(client{}) {
		t.Error("a fourth peer got a slot, want three at most")
	}
}

func TestRatesOfManyClientsAreBounded(t *testing.T) {
	b := newBudget(0, 2, 1)
	b.rates = cache.NewLRUExpireCache(10)
	for i := range 1000 {
		from := clientOf(fmt.Sprintf("192.0.%d.%d:1", i/250, i%250))
		for n, want := range []bool{true, true, false} {
			if got := b.allow(from); got != want {
				t.Fatalf("client %d, try %d: got allowed %v, want %v", i, n, got, want)
			}
		}
	}
	if n := len(b.rates.Keys()); n != 10 {
		t.Errorf("got the rates of %d clients, want 10", n)
	}
}
