package prometheus

import "time"

// Deviation has the longest times for which a value was below and above the expected one.
type Deviation struct {
	Below, Above time.Duration
	// Least and Most are the lowest and the highest value.
	Least, Most float64
}

// Deviate finds the longest runs of values below and above the expected one. The values are Step apart. A run of n
// values counts as n steps, although it may have been up to a step longer or shorter.
func Deviate(numbers []float64, expected float64) Deviation {
	var d Deviation
	var below, above time.Duration
	for i, n := range numbers {
		below, above = extend(below, n < expected), extend(above, n > expected)
		d.Below, d.Above = max(d.Below, below), max(d.Above, above)
		if i == 0 {
			d.Least, d.Most = n, n
		}
		d.Least, d.Most = min(d.Least, n), max(d.Most, n)
	}
	return d
}

// Worst returns the larger extreme of two deviations in each field.
func (d Deviation) Worst(other Deviation) Deviation {
	return Deviation{
		Below: max(d.Below, other.Below), Above: max(d.Above, other.Above),
		Least: min(d.Least, other.Least), Most: max(d.Most, other.Most),
	}
}

func extend(run time.Duration, continues bool) time.Duration {
	if !continues {
		return 0
	}
	return run + Step
}
