package load

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"
)

// Result is what --json writes of a run, and what a baseline is. Times are in
// milliseconds, rates in requests a second.
type Result struct {
	Endpoints    []EndpointResult `json:"endpoints"` // those asked, and those with targets
	Total        EndpointResult   `json:"total"`
	ExitCode     int              `json:"exit_code"`
	ExitReason   string           `json:"exit_reason"`
	SlipP99      float64          `json:"slip_ms_p99"`
	GeneratorCPU float64          `json:"generator_cpu"` // share of all processors, from 0 to 1
	Seed         uint64           `json:"seed"`
	Started      *time.Time       `json:"started"` // null before a run
	Ended        *time.Time       `json:"ended"`   // null while it goes on
	SteadyFrom   *time.Time       `json:"steady_from"`
	SteadyTo     *time.Time       `json:"steady_to"`
	Plan         PlanResult       `json:"plan"`
	Unsent       int64            `json:"unsent"` // arrivals that were due and never made
	Reason       string           `json:"reason"` // why it ended by itself
}

// EndpointResult is of one method and name, or of all together.
type EndpointResult struct {
	Method    string         `json:"method"`
	Name      string         `json:"name"`
	Requests  int64          `json:"requests"`
	Failures  int64          `json:"failures"`
	Throttled int64          `json:"throttled"`
	RPS       float64        `json:"rps"`
	Response  LatencyResult  `json:"response_ms"` // from the intended start
	Service   LatencyResult  `json:"service_ms"`  // from sending
	Steady    SteadyResult   `json:"steady"`
	Targets   []TargetResult `json:"targets"`
}

// LatencyResult is of a distribution, in milliseconds.
type LatencyResult struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// SteadyResult is of the steady window, with what a comparison needs.
type SteadyResult struct {
	Requests int64          `json:"requests"`
	Failures int64          `json:"failures"`
	RPS      float64        `json:"rps"`
	P50      IntervalResult `json:"p50_ms"`
	P95      IntervalResult `json:"p95_ms"`
	P99      IntervalResult `json:"p99_ms"`
}

// IntervalResult is an estimate and its 95 % confidence interval.
type IntervalResult struct {
	At   float64 `json:"at"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// TargetResult is a Verdict.
type TargetResult struct {
	What     string  `json:"what"`
	Limit    float64 `json:"limit"`
	Measured float64 `json:"measured"`
	Met      *bool   `json:"met"` // null where it could not be judged
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Why      string  `json:"why"`
}

// PlanResult is what was asked for.
type PlanResult struct {
	Host        string   `json:"host"`
	Classes     []string `json:"classes"`
	Users       int      `json:"users"`
	SpawnRate   float64  `json:"spawn_rate"`
	ArrivalRate string   `json:"arrival_rate"` // "" for the closed model
	RunTime     float64  `json:"run_time_seconds"`
	Engine      Engine   `json:"engine"`
}

// NewResult puts together what --json writes.
func NewResult(s *Snapshot, verdicts []Verdict, code int, why string) Result {
	r := Result{
		Total: endpointResult(&s.Total, nil), ExitCode: code, ExitReason: why, Endpoints: []EndpointResult{},
		SlipP99: s.Slip.Quantile(99), GeneratorCPU: rounded(s.GeneratorCPU), Seed: s.Plan.Seed,
		Started: moment(s.Started), Ended: moment(s.Ended), SteadyFrom: moment(s.SteadyFrom), SteadyTo: moment(s.SteadyTo),
		Plan: planResult(&s.Plan), Unsent: s.Unsent, Reason: s.Reason,
	}
	for i := range s.Endpoints {
		r.Endpoints = append(r.Endpoints, endpointResult(&s.Endpoints[i], verdicts))
	}
	for i := range verdicts { // of what was not asked
		f := Figures{Method: verdicts[i].Method, Name: verdicts[i].Name}
		if r.endpoint(f.Method, f.Name) == nil {
			r.Endpoints = append(r.Endpoints, endpointResult(&f, verdicts))
		}
	}
	return r
}

// Write writes the result as JSON.
func (r Result) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *Result) endpoint(method, name string) *EndpointResult {
	i := slices.IndexFunc(r.Endpoints, func(e EndpointResult) bool { return e.Method == method && e.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Endpoints[i]
}

func endpointResult(f *Figures, verdicts []Verdict) EndpointResult {
	e := EndpointResult{
		Method: f.Method, Name: f.Name, Requests: f.Requests, Failures: f.Failures, Throttled: f.Throttled, RPS: rounded(f.RPS),
		Response: latencyResult(&f.Response), Service: latencyResult(&f.Service), Targets: []TargetResult{},
		Steady: SteadyResult{f.Steady.Requests, f.Steady.Failures, rounded(f.Steady.RPS), intervalResult(&f.Steady, 50), intervalResult(&f.Steady, 95), intervalResult(&f.Steady, 99)},
	}
	for i := range verdicts {
		if v := &verdicts[i]; v.Method == f.Method && v.Name == f.Name {
			e.Targets = append(e.Targets, targetResult(v))
		}
	}
	return e
}

func latencyResult(l *Latency) LatencyResult {
	return LatencyResult{l.Quantile(50), l.Quantile(95), l.Quantile(99), l.Max, rounded(l.Mean)}
}

func intervalResult(w *Window, percent float64) IntervalResult {
	low, high := w.interval(percent)
	return IntervalResult{w.Response.Quantile(percent), low, high}
}

func targetResult(v *Verdict) TargetResult {
	t := TargetResult{What: v.What, Limit: rounded(v.Limit), Measured: rounded(v.Measured), Low: rounded(v.Low), High: rounded(v.High), Why: v.Why}
	if met := v.Outcome == Met; v.Outcome != Unjudged {
		t.Met = &met
	}
	return t
}

func planResult(p *Plan) PlanResult {
	r := PlanResult{p.Host, classNames(p.Classes), p.Users, p.SpawnRate, "", p.RunTime.Seconds(), p.Engine}
	if r.Classes == nil {
		r.Classes = []string{}
	}
	if p.Arrivals != nil {
		r.ArrivalRate = p.Arrivals.String()
	}
	return r
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Round(time.Millisecond)
	return &t
}

// rounded keeps what is measured of a figure: six decimals are a millionth of a
// request a second.
func rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }
