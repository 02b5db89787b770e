package drift

import "math"

// pool is the waits of all payers together, which tells beforehand about how
// often ends come where one payer has too few of them.
type pool struct {
	*inventory
	end     int // of the hazards, -1 for none yet
	hazards [len(lags)]hazards
}

func newPool(payers []*inventory, slots, bins int) *pool {
	p := &pool{&inventory{bins: bins, cells: make([]cell, slots*bins), first: slots}, -1, [len(lags)]hazards{}}
	for _, v := range payers {
		p.first = min(p.first, v.first)
		for i, c := range v.cells {
			sum := &p.cells[i]
			sum.risk, sum.ends = plusClamped(sum.risk, c.risk), plusClamped(sum.ends, c.ends)
		}
	}
	return p
}

// at are the hazards of the year before each lag of an evaluation; they serve
// all payers that share it.
func (p *pool) at(end int) *[len(lags)]hazards {
	if p.end == end {
		return &p.hazards
	}
	var sum exposure
	var sums [2][len(lags)]exposure // to the start of the window, and of its baseline
	cut, start := 0, 0
	for t := end - 1; t >= p.first && start < len(lags); t-- {
		sum.add(p.row(t), 1)
		for cut < len(lags) && t == end-lags[cut] {
			sums[0][cut] = sum
			cut++
		}
		for start < cut && t == max(end-lags[start]-slowBaselineDays, p.first) {
			sums[1][start] = sum
			start++
		}
	}
	for i := range lags {
		base := sums[1][i].minus(&sums[0][i])
		p.hazards[i] = base.pooledHazards()
	}
	p.end = end
	return &p.hazards
}

// over are the hazards of some days.
func (p *pool) over(s slots) hazards {
	var sum exposure
	for t := max(s.from, 0); t < s.to; t++ {
		sum.add(p.row(t), 1)
	}
	return sum.pooledHazards()
}

// pooledHazards are hazards for a prior. Half an end spread over the bins keeps
// them above 0.
func (x *exposure) pooledHazards() (h hazards) {
	bins := 0.0
	for _, r := range x.risk {
		if r > 0 {
			bins++
		}
	}
	for i, r := range x.risk {
		if r > 0 {
			h.rate[i] = math.Min((x.ends[i]+.5/bins)/r, 1)
		}
	}
	return h
}
