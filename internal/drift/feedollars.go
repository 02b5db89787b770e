package drift

import (
	"math"
	"slices"

	"upstream"
)

const (
	daysPerMonth = 30.44

	// volumeWeeks is the weight of the baseline's weekly lines in those of the
	// month that dollars are told of, in weeks: a cut of one week says little
	// about volume.
	volumeWeeks = 4

	// modeLines are the lines in excess below a rate that a new rate is read from;
	// with fewer a key is taken to be cut as all keys are.
	modeLines = 5

	// mixLines is the weight of all keys' part in the part of a key's lines that
	// are cut, in lines.
	mixLines = 5

	// laidOutValues is in how many equally likely values a posterior is laid out.
	laidOutValues = 12
)

// dollars is what the cut costs a month, with a 90 % interval. A share of the
// lines is cut, by the beta posteriors of the share below the rate before and
// since; of the lines below anyhow it takes the same part. Each loses its key's
// rate less the new one. The interval holds the uncertainty of the shares, of the
// volume, and of the mix of keys.
func (s *feeStudy) dollars() (middle, low, high upstream.Money) {
	each, off := s.lossPerLine()
	if each <= 0 || s.sums.lines <= 0 {
		return 0, 0, 0
	}
	known := s.known(s.sums.lines, s.sums.base)
	monthly := known / (float64(s.end-s.cut) + volumeWeeks) * daysPerMonth / 7
	already := 1.0
	if s.baseline.below > 0 {
		already = s.baseline.allowedOfBelow / float64(s.baseline.below)
	}
	loss := func(now, before float64) float64 {
		part := (now - before) / (1 - before)
		return part * (1 - before + before*already) * monthly * each
	}
	prior := s.sums.beta()
	mean := prior.a / (prior.a + prior.b)
	now := beta{s.sums.below + 1, s.sums.lines - s.sums.below + 1}
	factor := math.Sqrt(off*off + 1/known)
	losses := make([]float64, 0, laidOutValues*laidOutValues*laidOutValues)
	shares, former := now.quantiles(), prior.quantiles()
	for j := range laidOutValues {
		volume := math.Exp(factor * math.Sqrt2 * math.Erfinv(2*(float64(j)+.5)/laidOutValues-1))
		for _, share := range shares {
			for _, before := range former {
				losses = append(losses, loss(share, before)*volume)
			}
		}
	}
	slices.Sort(losses)
	tail := int((1 - intervalMass) / 2 * float64(len(losses)))
	best := max(loss(s.sums.below/s.sums.lines, mean), 0)
	return cents(best), cents(min(max(losses[tail], 0), best)), cents(max(losses[len(losses)-1-tail], best))
}

// lossPerLine is the mean cents that a line of the excess below the rate lost,
// with its relative standard error by the mix of keys. A few weeks hold few lines
// of each key: the mix is that of the month, and a key's own part of lines cut
// counts beside mixLines at the part of all keys.
func (s *feeStudy) lossPerLine() (mean, off float64) {
	weight, sum, squares := 0.0, 0.0, 0.0
	for i := range s.keys {
		k := &s.keys[i]
		excess := float64(k.current.below) - k.expected
		cut := s.commonPart * k.rate
		if excess >= modeLines {
			cut = k.rate - k.after
		}
		uncut := max(float64(k.current.lines)-k.expected, 0)
		part := max(excess+mixLines*s.sums.part(), 0) / (uncut + mixLines)
		cutLines := part * s.known(float64(k.current.lines), float64(k.baseline.lines))
		weight += cutLines
		sum += cutLines * cut
		squares += cutLines * cut * cut
	}
	if weight <= 0 || sum <= 0 {
		return 0, 0
	}
	mean = sum / weight
	return mean, math.Sqrt(max(squares/weight-mean*mean, 0)/max(weight, 1)) / mean
}

// known are the current lines with those of volumeWeeks of the baseline.
func (s *feeStudy) known(current, baseline float64) float64 {
	return current + volumeWeeks*baseline/float64(max(s.cut-s.first, 1))
}

// laidOutValues are values that a beta variable exceeds with equal steps of
// probability, by the midpoint rule on a grid within eight standard deviations.
func (b beta) quantiles() (out [laidOutValues]float64) {
	const steps = 500
	sum := b.a + b.b
	mean := b.a / sum
	deviation := math.Sqrt(mean * (1 - mean) / (sum + 1))
	from, to := max(mean-8*deviation, 0), min(mean+8*deviation, 1)
	step := (to - from) / steps
	var density [steps]float64
	top := math.Inf(-1)
	for i := range density {
		x := from + (float64(i)+.5)*step
		density[i] = (b.a-1)*math.Log(x) + (b.b-1)*math.Log1p(-x)
		top = max(top, density[i])
	}
	total := 0.0
	for i := range density {
		density[i] = math.Exp(density[i] - top)
		total += density[i]
	}
	below, at := 0.0, 0
	for j := range out {
		want := (float64(j) + .5) / laidOutValues * total
		for at < steps-1 && below+density[at] < want {
			below += density[at]
			at++
		}
		out[j] = from + (float64(at)+.5)*step
	}
	return out
}
