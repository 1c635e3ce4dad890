package resources

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Both functions round up. A number that is too large for 1/1000 is rounded to a whole number, and one beyond 64 bits
// is 0.
func TestAmounts(t *testing.T) {
	f := func(text string, wantMilli, wantWhole float64) {
		t.Helper()
		q := resource.MustParse(text)
		if got := milliValue(q); got != wantMilli {
			t.Errorf("milliValue(%s) = %v, want %v", text, got, wantMilli)
		}
		if got := wholeValue(q); got != wantWhole {
			t.Errorf("wholeValue(%s) = %v, want %v", text, got, wantWhole)
		}
	}
	f("0", 0, 0)
	f("1", 1, 1)
	f("100n", 0.001, 1)
	f("1500u", 0.002, 1)
	f("1500m", 1.5, 2)
	f("1999.5m", 2, 2)
	f("-1500m", -1.5, -2)
	f("1.5Gi", 1.5*(1<<30), 1.5*(1<<30))
	f("9007199254740993", 9007199254740994, 9007199254740992) // a float64 holds neither
	f("9223372036854776", 9223372036854776, 9223372036854776)
	f("8Ei", 1<<63, 1<<63) // saturates
	f("10E", 0, 0)         // beyond 64 bits
}

func TestUnitOfResource(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := unitOfResource(corev1.ResourceName(name)); got != want {
			t.Errorf("unitOfResource(%s) = %q, want %q", name, got, want)
		}
	}
	f("cpu", "core")
	f("memory", "byte")
	f("storage", "byte")
	f("ephemeral-storage", "byte")
	f("hugepages-1Gi", "byte")
	f("attachable-volumes-csi-x", "byte")
	f("nvidia.com/gpu", "integer")
	f("kubernetes.io/batteries", "")
	f("sub.kubernetes.io/batteries", "")
	f("requests.nvidia.com/gpu", "")
	f("gadgets", "")
	f("", "")
}

func TestResourceLabel(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := resourceLabel(corev1.ResourceName(name)); got != want {
			t.Errorf("resourceLabel(%s) = %s, want %s", name, got, want)
		}
	}
	f("cpu", "cpu")
	f("ephemeral-storage", "ephemeral_storage")
	f("vendor.example/sr-iov_Net.a", "vendor_example_sr_iov_Net_a")
	f("größe", "gr__e")
}
