// Package load is the load tester. It takes its words from Locust: classes of users
// do tasks, wait, and do more; they are spawned at a rate, and what they meet is
// counted by method and name. Beside that closed model there is an open one, in which
// arrivals follow a schedule whatever the server does.
//
// It sees of a server what any user of it sees, and imports nothing of it.
//
// A Runner holds at most one run at a time. Users (user.go) send requests through an
// engine (engine.go), each with a connection of its own, and hand samples to Stats.
// What a run has come to is a Snapshot, from which console, files, page and metrics
// are made; Judge holds it against targets.
//
// All times that are measured count from the intended start of a request: where a
// server stalls, those who wait for a free user wait too. The service time, from
// sending, is kept beside it. See Gil Tene, "How NOT to Measure Latency", 2013.
package load
