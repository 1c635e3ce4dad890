package fit

import (
	"errors"
	"slices"
)

// observation is one equation of a regression: the sum of x times the costs is y.
type observation struct {
	x      []float64
	y      float64
	weight float64
}

// relativeTo returns the weight with which errors count relative to a size, so that small runs
// count as much as large ones.
func relativeTo(size float64) float64 { return 1 / (size * size) }

var errTooFew = errors.New("the runs are too few or too similar to tell costs apart")

// regress returns the costs that fit best, by least squares. A cost that would be negative is left
// out, as 0.
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

// solve is Gaussian elimination without pivoting, which normal equations do not need. Rows are
// scaled to a diagonal of 1 first; the rest of it after elimination is the part of a column that
// the other columns do not explain.
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
