package load

// Placeholder until judge.go is merged.

type Target struct {
	Method, Name                   string
	MinRPS, MaxP50, MaxP95, MaxP99 float64
	MaxFailureShare                *float64
}

type Verdict struct {
	Method, Name, What         string
	Limit, Measured, Low, High float64
	Outcome, Why               string
}

func Judge(s *Snapshot, targets []Target) (all []Verdict) {
	for _, t := range targets {
		v := Verdict{Method: t.Method, Name: t.Name, What: "p95", Limit: t.MaxP95, Outcome: "unjudged", Why: "no requests yet"}
		for _, f := range s.Endpoints {
			if f.Name == t.Name && f.Method == t.Method && f.Steady.Requests > 0 {
				v.Measured, v.Outcome, v.Why = f.Steady.Response.Quantile(95), "met", ""
				v.Low, v.High = v.Measured*.9, v.Measured*1.1
				if v.Measured > v.Limit {
					v.Outcome = "missed"
				}
			}
		}
		all = append(all, v)
	}
	return all
}
