package load

import (
	"net/http"
	"testing"
	"time"
)

func TestRatesAfterAResetCountFromIt(t *testing.T) {
	const before = 50 * time.Millisecond
	release := make(chan struct{})
	p := quick(serve(t, func(http.ResponseWriter, *http.Request) {}), Std, doing(func(u *User) {
		<-release
		u.Get("/x")
		<-u.stop
	}))
	r := begin(t, p)
	time.Sleep(before)
	r.Reset()
	close(release)
	eventually(t, func() bool { return r.Snapshot().Total.Requests == 1 })
	r.Stop()
	s := r.Snapshot()
	if least := 1 / (s.Elapsed() - before).Seconds(); s.Total.RPS < least {
		t.Errorf("%v requests a second since the reset, want at least %v", s.Total.RPS, least)
	}
}

func TestResetStatsForgetsWhatCameBeforeTheFirstArrival(t *testing.T) {
	for model, arrivals := range map[string]*Arrivals{"closed": nil, "open": {Stages: []Stage{{Rate: 100}}}} {
		t.Run(model, func(t *testing.T) {
			p := quick(serve(t, func(http.ResponseWriter, *http.Request) {}), Std, doing(func(u *User) { u.Get("/x") }))
			p.Classes[0].Wait = Constant(time.Millisecond)
			p.Users, p.SpawnRate, p.Arrivals, p.ResetStats = 2, 2, arrivals, true
			p.Classes[0].OnStart = func(u *User) error {
				if u.Number == 0 { // the other begins when this one has long asked
					u.Get("/sign-in")
				}
				return nil
			}
			r := begin(t, p)
			eventually(t, func() bool { return !r.Snapshot().SteadyFrom.IsZero() && r.Snapshot().Total.Requests > 0 })
			r.Stop()
			for _, f := range r.Snapshot().Endpoints {
				if f.Name != "/x" {
					t.Errorf("%s is counted", f.Name)
				}
			}
		})
	}
}

// Arrivals go on while users are added: nothing else begins their steady window anew.
func TestAResetWhileUsersAreAddedBeginsTheSteadyWindowAnew(t *testing.T) {
	p := quick(serve(t, func(http.ResponseWriter, *http.Request) {}), Std, doing(func(u *User) { u.Get("/x") }))
	p.Arrivals = &Arrivals{Stages: []Stage{{Rate: 100}}}
	r := begin(t, p)
	eventually(t, func() bool { return r.Snapshot().State == Running && !r.Snapshot().SteadyFrom.IsZero() })
	before := r.Snapshot().SteadyFrom
	p.Users, p.SpawnRate = 10, .001
	if err := r.Start(p); err != nil {
		t.Fatal(err)
	}
	r.Reset()
	if s := r.Snapshot(); s.State != Spawning || !s.SteadyFrom.After(before) {
		t.Errorf("%s, steady from %v, before %v", s.State, s.SteadyFrom, before)
	}
}
