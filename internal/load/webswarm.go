package load

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxForm bounds the body of a form, in bytes.
const maxForm = 64 << 10

// swarm begins a run, or changes the users of the one that there is.
func (p *Page) swarm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	base, goesOn := p.base()
	plan, err := p.read(r, base)
	if err == nil && goesOn {
		plan.Host, plan.Classes, plan.RunTime = base.Host, base.Classes, base.RunTime
	}
	if err == nil {
		err = p.runner.Start(plan)
	}
	switch {
	case err != nil && fromForm(r):
		p.show(w, http.StatusUnprocessableEntity, r.PostForm, err)
	case err != nil: // Locust answers 200
		writeJSON(w, map[string]any{"success": false, "message": err.Error(), "host": base.Host})
	case fromForm(r):
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		answer := map[string]any{"success": true, "message": "Swarming started", "host": strings.TrimSuffix(plan.Host, "/"), "user_classes": classNames(plan.Classes)}
		if goesOn {
			answer["message"] = "Users change; host, run time and classes stay as the run began"
		}
		if plan.RunTime > 0 {
			answer["run_time"] = plan.RunTime.Seconds()
		}
		writeJSON(w, answer)
	}
	p.feed.tick()
}

// base is the plan that a form changes: that of the present run, of the last one, or
// what the page began with.
func (p *Page) base() (plan Plan, goesOn bool) {
	s := p.runner.Snapshot()
	if s.State == Ready {
		return p.Plan, false
	}
	return s.Plan, s.State == Spawning || s.State == Running
}

// read makes a plan of a form; fields that are not there stay as they are.
func (p *Page) read(r *http.Request, plan Plan) (Plan, error) {
	if err := r.ParseForm(); err != nil {
		return plan, errors.New("the form can't be read: send its fields as a browser does, at most 64 kB")
	}
	var wrong []error
	field := func(name string, read func(text string) error) {
		if values, given := r.PostForm[name]; given {
			wrong = append(wrong, read(strings.TrimSpace(values[0])))
		}
	}
	field("user_count", func(text string) (err error) {
		if plan.Users, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("%q users: give a whole number", text)
		}
		return nil
	})
	field("spawn_rate", func(text string) (err error) {
		if plan.SpawnRate, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("a spawn rate of %q: give users a second", text)
		}
		return nil
	})
	field("host", func(text string) error {
		plan.Host = text
		return nil
	})
	field("run_time", func(text string) (err error) {
		if plan.RunTime = 0; text == "" {
			return nil
		}
		if plan.RunTime, err = ParseRunTime(text); err != nil {
			return fmt.Errorf("run time: %w", err)
		}
		return nil
	})
	if names, given := r.PostForm["user_classes"]; given {
		// The form has an empty one, so that none is another thing than not asked.
		picked, err := SelectClasses(p.Classes, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" }))
		plan.Classes = picked
		wrong = append(wrong, err)
	}
	return plan, errors.Join(wrong...)
}

// fromForm tells that a browser sent a form without script and wants a page.
func fromForm(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// backToForm shows all who watch what was done, and tells that it answered a form.
func (p *Page) backToForm(w http.ResponseWriter, r *http.Request) bool {
	p.feed.tick()
	if fromForm(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return true
	}
	return false
}

func (p *Page) stop(w http.ResponseWriter, r *http.Request) {
	p.runner.Stop()
	if p.backToForm(w, r) {
		return
	}
	writeJSON(w, map[string]any{"success": true, "message": "Test stopped"})
}

func (p *Page) reset(w http.ResponseWriter, r *http.Request) {
	p.runner.Reset()
	if p.backToForm(w, r) {
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// form is what the fields of the page's forms hold.
type form struct {
	Users, SpawnRate, Host, RunTime string
	Classes                         []choice
}

// choice is a class with its box.
type choice struct {
	*Class
	Checked bool
}

// fields are what was sent, or what a plan says.
func (p *Page) fields(plan Plan, sent url.Values) form {
	runTime := ""
	if plan.RunTime > 0 {
		runTime = shortTime(plan.RunTime)
	}
	f := form{
		Users: strconv.Itoa(plan.Users), SpawnRate: strconv.FormatFloat(plan.SpawnRate, 'f', -1, 64),
		Host: plan.Host, RunTime: runTime,
	}
	chosen := classNames(plan.Classes)
	for name, into := range map[string]*string{"user_count": &f.Users, "spawn_rate": &f.SpawnRate, "host": &f.Host, "run_time": &f.RunTime} {
		if sent.Has(name) {
			*into = sent.Get(name)
		}
	}
	if sent.Has("user_classes") {
		chosen = sent["user_classes"]
	}
	for _, c := range p.Classes {
		f.Classes = append(f.Classes, choice{c, slices.Contains(chosen, c.Name)})
	}
	return f
}

// shortTime writes a time as run times are written: 1h20m, not 1h20m0s.
func shortTime(d time.Duration) string {
	text := d.Round(time.Millisecond).String()
	if after, ok := strings.CutSuffix(text, "m0s"); ok {
		text = after + "m"
	}
	if after, ok := strings.CutSuffix(text, "h0m"); ok {
		text = after + "h"
	}
	return text
}
