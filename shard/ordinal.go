package shard

import (
	"fmt"
	"strconv"
	"strings"
)

// Ordinal splits the name of a StatefulSet's pod: "statefleet-2" has the stem "statefleet" and the
// ordinal 2. The stem is the name of the StatefulSet. The error states why a StatefulSet cannot give
// a pod this name: it has no number at the end, a number with leading zeros or beyond 32 bits, or
// nothing before the number.
func Ordinal(podName string) (stem string, ordinal int, err error) {
	at := strings.LastIndexByte(podName, '-')
	digits := podName[at+1:]
	if at < 0 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", 0, fmt.Errorf("pod name %q must end in an ordinal, such as -0", podName)
	}
	if at == 0 {
		return "", 0, fmt.Errorf("pod name %q has nothing before its ordinal", podName)
	}
	if len(digits) > 1 && digits[0] == '0' {
		return "", 0, fmt.Errorf("pod name %q has an ordinal with a leading zero", podName)
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("pod name %q has an ordinal that is too large: %w", podName, err)
	}
	return podName[:at], int(n), nil
}
