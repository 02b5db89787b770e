package load

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestUsersAreSharedOutByWeight(t *testing.T) {
	classes := []*Class{{Name: "A", Weight: 3}, {Name: "B"}, {Name: "C", FixedCount: 2}}
	for users, want := range map[int]map[string]int{
		0:  {"A": 0, "B": 0, "C": 0},
		1:  {"A": 0, "B": 0, "C": 1},
		3:  {"A": 1, "B": 0, "C": 2},
		10: {"A": 6, "B": 2, "C": 2},
		42: {"A": 30, "B": 10, "C": 2},
	} {
		got := Distribute(classes, users)
		for name, n := range want {
			if got[name] != n {
				t.Errorf("%d users: %v, want %v", users, got, want)
				break
			}
		}
	}
}

func TestAFurtherUserTakesNoneAway(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var classes []*Class
		for i := range rapid.IntRange(1, 5).Draw(r, "classes") {
			classes = append(classes, &Class{Name: string(rune('A' + i)), Weight: rapid.IntRange(0, 9).Draw(r, "weight"), FixedCount: rapid.SampledFrom([]int{0, 0, 0, 3}).Draw(r, "fixed")})
		}
		users := rapid.IntRange(0, 60).Draw(r, "users")
		before, after, sum := Distribute(classes, users), Distribute(classes, users+1), 0
		for _, c := range classes {
			if after[c.Name] < before[c.Name] {
				r.Fatalf("%d users: %v, one more: %v", users, before, after)
			}
			sum += after[c.Name]
		}
		if fixed := Distribute(classes, 15); sum != users+1 && sum != fixed["A"]+fixed["B"]+fixed["C"]+fixed["D"]+fixed["E"] {
			r.Fatalf("%d users become %v", users+1, after)
		}
	})
}

func TestWaits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		if d := Between(time.Second, 3*time.Second)(r, time.Hour); d < time.Second || d > 3*time.Second {
			t.Fatal(d)
		}
	}
	for name, test := range map[string]struct {
		wait       Wait
		took, want time.Duration
	}{
		"constant":        {Constant(time.Second), 9 * time.Second, time.Second},
		"pacing":          {ConstantPacing(time.Second), 300 * time.Millisecond, 700 * time.Millisecond},
		"pacing, missed":  {ConstantPacing(time.Second), 3 * time.Second, 0},
		"throughput of 4": {ConstantThroughput(4), 100 * time.Millisecond, 150 * time.Millisecond},
	} {
		if got := test.wait(r, test.took); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestTasksAreDrawnByWeight(t *testing.T) {
	c := Classes(Accounts{})[0]
	r, n := rand.New(rand.NewPCG(1, 2)), map[string]int{}
	for range 100_000 {
		n[c.pick(r).Name]++
	}
	for name, want := range map[string]int{"health": 30_000, "dashboard": 20_000, "drift_feed": 20_000, "payer_summary": 10_000, "denial_rate_trend": 10_000, "claims": 10_000} {
		if got := n[name]; got < want-600 || got > want+600 {
			t.Errorf("%s %d times, want about %d", name, got, want)
		}
	}
}

func TestClassesAndTagsAreSelected(t *testing.T) {
	all := Classes(Accounts{})
	some, err := SelectClasses(all, []string{"AdminUser", "PayrixaAPIUser"})
	if diff := cmp.Diff([]string{"PayrixaAPIUser", "AdminUser"}, classNames(some)); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := SelectClasses(all, []string{"Nobody"}); err == nil || err.Error() != `there is no user class "Nobody"; there are PayrixaAPIUser, AdminUser, UnauthenticatedUser` {
		t.Error(err)
	}
	for _, test := range []struct {
		tags, exclude []string
		want          map[string]int
	}{
		{nil, nil, map[string]int{"PayrixaAPIUser": 6, "AdminUser": 2, "UnauthenticatedUser": 2}},
		{[]string{"health", "claims"}, nil, map[string]int{"PayrixaAPIUser": 2}},
		{nil, []string{"dashboard"}, map[string]int{"PayrixaAPIUser": 5, "AdminUser": 2, "UnauthenticatedUser": 1}},
		{[]string{"dashboard"}, []string{"signed_out"}, map[string]int{"PayrixaAPIUser": 1}},
	} {
		got := map[string]int{}
		left, err := Tagged(all, test.tags, test.exclude)
		for _, c := range left {
			got[c.Name] = len(c.Tasks)
		}
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%v without %v: %v\n%s", test.tags, test.exclude, err, diff)
		}
	}
	if _, err := Tagged(all, []string{"nothing"}, nil); err == nil {
		t.Error("no task is left, and nobody says so")
	}
}
