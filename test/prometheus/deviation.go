package prometheus

import "time"

// Deviation is how long a number was not what it should have been, at the longest.
type Deviation struct {
	Below, Above time.Duration
	// Least and Most are the extremes of all numbers.
	Least, Most float64
}

// Deviate finds the longest rows of numbers below and above the truth, in numbers that are Step apart. A row of n numbers
// counts as n steps: at one end it may have been up to a step longer, at the other up to a step shorter.
func Deviate(numbers []float64, truth float64) Deviation {
	var d Deviation
	var below, above time.Duration
	for i, n := range numbers {
		below, above = grow(below, n < truth), grow(above, n > truth)
		d.Below, d.Above = max(d.Below, below), max(d.Above, above)
		if i == 0 {
			d.Least, d.Most = n, n
		}
		d.Least, d.Most = min(d.Least, n), max(d.Most, n)
	}
	return d
}

// Worst is the worse of two deviations in each respect.
func (d Deviation) Worst(other Deviation) Deviation {
	return Deviation{
		Below: max(d.Below, other.Below), Above: max(d.Above, other.Above),
		Least: min(d.Least, other.Least), Most: max(d.Most, other.Most),
	}
}

func grow(row time.Duration, goesOn bool) time.Duration {
	if !goesOn {
		return 0
	}
	return row + Step
}
