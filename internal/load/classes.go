package load

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Accounts are who the classes sign in as.
type Accounts struct{ Username, Password, AdminUsername, AdminPassword string }

// api is below what all paths of the server are.
const api = "/api/v1/"

// Classes returns the performance guide's three classes of users: those that
// loadtest/locustfile.py has for stock Locust, with the guide's tasks.
func Classes(a Accounts) []*Class {
	return []*Class{
		{
			Name: "PayrixaAPIUser", About: "somebody of a practice who looks at the morning's figures", Weight: 3,
			Wait: Between(time.Second, 3*time.Second), OnStart: signIn(a.Username, a.Password),
			Tasks: []Task{
				get("health", 3, "health/"),
				get("dashboard", 2, "dashboard/"),
				pages("drift_feed", 2, "drift-events/", 5),
				get("payer_summary", 1, "claims/payer_summary/"),
				get("denial_rate_trend", 1, "denial-rate-trend/"),
				pages("claims", 1, "claims/", 10),
			},
		},
		{
			Name: "AdminUser", About: "somebody who looks after customers and runs", Weight: 1,
			Wait: Between(2*time.Second, 5*time.Second), OnStart: signIn(a.AdminUsername, a.AdminPassword),
			Tasks: []Task{pages("customers", 2, "customers/", 1), pages("report_runs", 1, "report-runs/", 1)},
		},
		{
			Name: "UnauthenticatedUser", About: "somebody without a token, who must get nothing: 401 or 403 is success", Weight: 1,
			Wait:  Between(time.Second, 2*time.Second),
			Tasks: []Task{refused("dashboard", "dashboard/"), refused("drift_feed", "drift-events/")},
		},
	}
}

// get asks for something.
func get(name string, weight int, path string) Task {
	return Task{
		Name: name, Weight: weight, Tags: []string{name}, Requests: []string{"GET " + api + path},
		Run: func(u *User) { u.Get(api + path) },
	}
}

// pages asks for one of the first pages of a list, all counted under one name.
func pages(name string, weight int, path string, n int) Task {
	named := Name(api + path)
	return Task{
		Name: name, Weight: weight, Tags: []string{name}, Requests: []string{"GET " + api + path},
		Run: func(u *User) { u.Get(api+path+"?page="+strconv.Itoa(1+u.Rand.IntN(n)), named) },
	}
}

// refused asks for what a user without a token must not get.
func refused(name, path string) Task {
	named, expected := Name(api+path+" [signed out]"), Expect(http.StatusUnauthorized, http.StatusForbidden)
	return Task{
		Name: name, Weight: 1, Tags: []string{name, "signed_out"}, Requests: []string{"GET " + api + path + " [signed out]"},
		Run: func(u *User) { u.Get(api+path, named, expected) },
	}
}

// signInAttempts are made where a server does not answer or throttles, a second or
// what it asks for apart. What it refuses it would refuse again.
const signInAttempts = 5

// longestBackoff bounds what a server may ask a user to wait.
const longestBackoff = time.Minute

// signIn gets a token. A user that can't have one has nothing to do, and a flood of
// refusals measures nothing: the run ends with the reason.
func signIn(username, password string) func(*User) error {
	return func(u *User) error {
		var token struct {
			Access string `json:"access"`
		}
		var last Response
		for range signInAttempts {
			last = u.Post(api+"auth/token/", map[string]string{"username": username, "password": password}, Expect(http.StatusOK), JSON(&token))
			switch {
			case last.Err == nil && token.Access == "":
				return fmt.Errorf("%sauth/token/ answered without a token: is this an Upstream server?", api)
			case last.Err == nil:
				u.SetToken(token.Access)
				return nil
			case errors.Is(last.Err, errOver):
				return nil
			case last.Status >= 300 && last.Status < 500 && last.Status != http.StatusTooManyRequests:
				return fmt.Errorf("%q can't sign in: %sauth/token/ answered %w; check --username and --password (for AdminUser --admin-username and --admin-password), or begin with `upstream demo`", username, api, last.Err)
			}
			if !u.Sleep(min(max(time.Second, last.RetryAfter), longestBackoff)) {
				return nil
			}
		}
		return fmt.Errorf("%q could not sign in %d times in a row: %w; is the server up, and does --host name it? It needs `--rate-limit off` for many users of one account", username, signInAttempts, last.Err)
	}
}
