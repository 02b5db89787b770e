package load

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Class is a kind of user, as a class of a locustfile is.
type Class struct {
	Name       string
	About      string // one line for a list of classes
	Weight     int    // its share of the users beside other classes; 0 is 1
	FixedCount int    // so many users at first, whatever the weights say; 0 for none
	Wait       Wait   // between tasks; nil for no wait. Arrivals of a schedule don't wait
	// OnStart is called once a user, before its tasks. An error stops the run with its
	// reason: where one user can't sign in, no other can.
	OnStart func(*User) error
	OnStop  func(*User)
	Tasks   []Task
}

// Task is something that users of a class do, with Weight times the chance of a task
// of weight 1.
type Task struct {
	Name     string
	Weight   int // 0 is 1
	Tags     []string
	Requests []string // what it asks, as "GET /api/v1/health/", so that targets can be checked before a run
	Run      func(*User)
}

// Wait tells how long a user waits after a task that took some time.
type Wait func(r *rand.Rand, took time.Duration) time.Duration

// Between waits some time from low to high, each as likely.
func Between(low, high time.Duration) Wait {
	return func(r *rand.Rand, _ time.Duration) time.Duration {
		return low + time.Duration(r.Int64N(int64(high-low)+1))
	}
}

// Constant waits the same time always.
func Constant(d time.Duration) Wait { return Between(d, d) }

// ConstantPacing waits for what is left of a period, so that a task begins once in it.
func ConstantPacing(period time.Duration) Wait {
	return func(_ *rand.Rand, took time.Duration) time.Duration { return max(0, period-took) }
}

// ConstantThroughput is ConstantPacing with so many tasks a second.
func ConstantThroughput(perSecond float64) Wait {
	return ConstantPacing(time.Duration(float64(time.Second) / perSecond))
}

func weight(w int) int { return max(w, 1) }

// SelectClasses returns the classes of these names, in the order of all.
func SelectClasses(all []*Class, names []string) ([]*Class, error) {
	var picked []*Class
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c *Class) bool { return c.Name == name }) {
			return nil, fmt.Errorf("there is no user class %q; there are %s", name, strings.Join(classNames(all), ", "))
		}
	}
	for _, c := range all {
		if slices.Contains(names, c.Name) {
			picked = append(picked, c)
		}
	}
	return picked, nil
}

func classNames(classes []*Class) (names []string) {
	for _, c := range classes {
		names = append(names, c.Name)
	}
	return names
}

// Tagged returns the classes with those tasks only that have one of the tags, if any
// are given, and none of the excluded ones.
func Tagged(classes []*Class, tags, exclude []string) ([]*Class, error) {
	has := func(t Task, some []string) bool {
		return slices.ContainsFunc(t.Tags, func(tag string) bool { return slices.Contains(some, tag) })
	}
	var left []*Class
	for _, c := range classes {
		own := *c
		own.Tasks = slices.DeleteFunc(slices.Clone(c.Tasks), func(t Task) bool {
			return len(tags) > 0 && !has(t, tags) || has(t, exclude)
		})
		if len(own.Tasks) > 0 {
			left = append(left, &own)
		}
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("no task has the tags asked for; `--list` shows classes, tasks and tags")
	}
	return left, nil
}

// Requests returns what the tasks of some classes ask, sorted.
func Requests(classes []*Class) (all []string) {
	for _, c := range classes {
		for _, t := range c.Tasks {
			all = append(all, t.Requests...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pick draws a task by weight.
func (c *Class) pick(r *rand.Rand) *Task {
	n := 0
	for i := range c.Tasks {
		n += weight(c.Tasks[i].Weight)
	}
	n = r.IntN(n)
	for i := range c.Tasks {
		if n -= weight(c.Tasks[i].Weight); n < 0 {
			return &c.Tasks[i]
		}
	}
	panic("unreachable: weights are positive")
}

// Distribute shares users out among classes: fixed counts first, then by weight, in
// such an order that a further user never takes one away from a class.
func Distribute(classes []*Class, users int) map[string]int {
	counts := map[string]int{}
	for _, c := range classes {
		counts[c.Name] = min(c.FixedCount, users)
		users -= counts[c.Name]
	}
	free := slices.DeleteFunc(slices.Clone(classes), func(c *Class) bool { return c.FixedCount > 0 })
	if len(free) == 0 {
		return counts
	}
	for range users { // to the class that is furthest behind its share (Webster)
		next := slices.MaxFunc(free, func(a, b *Class) int {
			return share(a, counts[a.Name]).cmp(share(b, counts[b.Name]))
		})
		counts[next.Name]++
	}
	return counts
}

// quota is weight/(2n+1), compared without rounding.
type quota struct{ weight, n int }

func share(c *Class, n int) quota { return quota{weight(c.Weight), n} }

func (a quota) cmp(b quota) int { return a.weight*(2*b.n+1) - b.weight*(2*a.n+1) }
