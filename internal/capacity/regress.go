package capacity

import "errors"

// observation is one equation of a fit: the sum of x times the costs is y.
type observation struct {
	x []float64
	y float64
	// size is what an error of the equation is taken in proportion to, so that
	// small runs count as much as large ones.
	size float64
}

var errTooFew = errors.New("too few runs to tell costs apart")

// regress returns the costs that fit best, by least squares. None is below zero:
// one that would be is left out.
func regress(all []observation) ([]float64, error) {
	if len(all) == 0 {
		return nil, errTooFew
	}
	n := len(all[0].x)
	out := make([]bool, n)
	for {
		costs, err := solve(normal(all, out))
		if err != nil {
			return nil, err
		}
		worst := 0
		for i := range costs {
			if costs[i] < costs[worst] {
				worst = i
			}
		}
		if costs[worst] >= 0 {
			return costs, nil
		}
		out[worst] = true
	}
}

// normal are the normal equations, the right side last in each row. A cost that
// is left out is 0.
func normal(all []observation, out []bool) [][]float64 {
	n := len(out)
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		if out[i] {
			m[i][i] = 1
			continue
		}
		for _, o := range all {
			weight := 1 / (o.size * o.size)
			for j := range n {
				if !out[j] {
					m[i][j] += weight * o.x[i] * o.x[j]
				}
			}
			m[i][n] += weight * o.x[i] * o.y
		}
	}
	return m
}

// solve is Gauss' elimination. Normal equations need no pivots; what is left of
// a diagonal of 1 is the part of a column that the others do not explain.
func solve(m [][]float64) ([]float64, error) {
	const explained = 1e-9
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
		if m[i][i] < explained {
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
