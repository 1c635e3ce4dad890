package fit

import (
	"errors"
	"slices"
)

// observation is one equation of a regression: y is the sum of the costs times x.
type observation struct {
	x      []float64
	y      float64
	weight float64
}

// relativeTo returns the weight that makes errors relative to size, so that small runs count as much as
// large ones.
func relativeTo(size float64) float64 { return 1 / (size * size) }

var errTooFew = errors.New("the runs are too few or too similar to determine the costs")

// regress returns the costs that fit best, by least squares. A cost that would be negative becomes 0.
func regress(all []observation) ([]float64, error) {
	if len(all) == 0 {
		return nil, errTooFew
	}
	omitted := make([]bool, len(all[0].x))
	for {
		costs, err := solve(normalEquations(all, omitted))
		if err != nil {
			return nil, err
		}
		lowest := slices.Min(costs)
		if lowest >= 0 {
			return costs, nil
		}
		omitted[slices.Index(costs, lowest)] = true
	}
}

// normalEquations returns the normal equations, with the right side last in each row. The equation
// of an omitted cost is that it is 0.
func normalEquations(all []observation, omitted []bool) [][]float64 {
	n := len(omitted)
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		if omitted[i] {
			m[i][i] = 1
			continue
		}
		for _, o := range all {
			for j := range n {
				if !omitted[j] {
					m[i][j] += o.weight * o.x[i] * o.x[j]
				}
			}
			m[i][n] += o.weight * o.x[i] * o.y
		}
	}
	return m
}

// solve solves the equations by Gaussian elimination without pivoting, which normal equations do not
// need. It first scales the rows to a diagonal of 1. What elimination leaves of a diagonal element is the
// part of that column that the other columns do not explain; if that is nearly 0, solve returns an error.
func solve(m [][]float64) ([]float64, error) {
	const minPivot = 1e-9
	n := len(m)
	for i, row := range m {
		if row[i] <= 0 {
			return nil, errTooFew
		}
		for j, scale := 0, 1/row[i]; j <= n; j++ {
			row[j] *= scale
		}
	}
	for i := range n {
		if m[i][i] < minPivot {
			return nil, errTooFew
		}
		for r := range n {
			if r == i {
				continue
			}
			f := m[r][i] / m[i][i]
			for j := i; j <= n; j++ {
				m[r][j] -= f * m[i][j]
			}
		}
	}
	costs := make([]float64, n)
	for i := range n {
		costs[i] = m[i][n] / m[i][i]
	}
	return costs, nil
}
