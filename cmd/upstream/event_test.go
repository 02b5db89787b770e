package main

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// found fills customer 1, runs detection and returns its first alert at a group.
func (w *world) found() parsed {
	w.Helper()
	w.year(60_000)
	events := w.events()
	for _, event := range events {
		if e := event.(parsed); e["tier"] == "alert" && e["level"] == "group" {
			return e
		}
	}
	w.Fatalf("there is no alert at a group: %v", events)
	return nil
}

func TestEventsAreListedShownAndJudged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.found()
		id := fmt.Sprint(e["id"])
		payer := e["payer"].(string)
		contains(t, w.must("event", "list", "--customer", "1"), "id", "tier", "status", "alert", "open", payer+", ", "denials ")
		contains(t, w.must("event", "show", id, "--customer", "1"), "ALERT #"+id+"  "+payer, "known 2026", "claims: ", "open by run 1")
		contains(t, w.must("event", "acknowledge", id, "--customer", "1", "--owner", "ann", "--note", "called", "--by", "ben"), "acknowledged: "+payer)
		report := w.jsonOf("event", "show", id, "--customer", "1", "--json")
		event := has(t, "the event", report["event"], "id", "status", "owner", "note")
		if event["status"] != "acknowledged" || event["owner"] != "ann" || event["note"] != "called" {
			t.Errorf("acknowledged as %v", event)
		}
		if history := report["history"].([]any); len(history) != 2 || has(t, "the entry", history[1], "at", "status")["who"] != "ben" {
			t.Errorf("history %v", history)
		}
		contains(t, w.must("event", "show", id, "--customer", "1"), "acknowledged by ben, owner ann: called")
		contains(t, w.must("event", "noise", id, "--customer", "1"),
			fmt.Sprintf("noise: %s, %s needs twice the evidence from now on; nothing else changes\n", payer, e["cpt_group"]))
		contains(t, w.fails(exitFailed, "event", "resolve", id, "--customer", "1"), "drift event "+id+" is noise", "upstream event reopen "+id)
		if open := w.must("event", "list", "--customer", "1"); strings.Contains(open, "\n"+id+" ") {
			t.Errorf("noise is listed among what goes on:\n%s", open)
		}
		contains(t, w.must("event", "list", "--customer", "1", "--status", "noise"), "\n"+id+" ", "noise")
		contains(t, w.must("event", "list", "--customer", "1", "--all"), "\n"+id+" ")
		contains(t, w.must("event", "reopen", id, "--customer", "1"), "open again: "+payer)
		contains(t, w.must("event", "resolve", id, "--customer", "1"), "resolved: "+payer)
		w.audited("1", "event.resolve "+id, "event.reopen "+id, "event.noise "+id, "event.acknowledge "+id+": called", "report_run.create 1: upstream")
	})
}

func TestAnEventJudgedAsNoiseIsNotToldAgain(t *testing.T) {
	w := inSQLite(t)
	e := w.found()
	id := fmt.Sprint(e["id"])
	w.must("event", "noise", id, "--customer", "1")
	for range 2 {
		for _, again := range w.events() {
			if o := again.(parsed); o["payer"] == e["payer"] && o["cpt_group"] == e["cpt_group"] && o["direction"] == e["direction"] {
				t.Errorf("after noise at %v, %v:\n%v", e["payer"], e["cpt_group"], o)
			}
		}
	}
}

func TestClaimsOfAnEventAreListedAndWritten(t *testing.T) {
	w := inSQLite(t)
	e := w.found()
	id, n := fmt.Sprint(e["id"]), int(e["evidence_claims"].(float64))
	few := w.run("event", "claims", id, "--customer", "1", "--limit", "3")
	if few.code != exitOK || strings.Count(few.stdout, "\n") != 4 || !strings.Contains(few.stderr, "--csv FILE writes all") {
		t.Errorf("three claims:\n%s%s", few.stdout, few.stderr)
	}
	samples := e["sample_claim_ids"].([]any)
	contains(t, few.stdout, "first decided", "denied", samples[0].(string), samples[2].(string))
	path := filepath.Join(w.dir, "claims.csv")
	contains(t, w.must("event", "claims", id, "--customer", "1", "--csv", path), "claims written to "+path)
	rows := readCSV(t, path)
	if len(rows) != n+1 {
		t.Errorf("%d claims written, the event counts %d", len(rows)-1, n)
	}
	column := columnsOf(rows[0])
	for _, r := range rows[1:] {
		day := r[column["first_decided_date"]]
		if r[column["first_outcome"]] != "denied" || r[column["payer"]] != e["payer"] || day < e["current_first"].(string) || day > e["current_last"].(string) {
			t.Fatalf("not a claim of the event: %v", r)
		}
	}
	some, err := csv.NewReader(strings.NewReader(w.must("event", "claims", id, "--customer", "1", "--csv", "-", "--limit", "7"))).ReadAll()
	if err != nil || len(some) != 8 {
		t.Errorf("%d rows on standard output, %v", len(some), err)
	}
}

func TestEventsThatCannotBeToldSayWhy(t *testing.T) {
	w := inSQLite(t)
	w.must("customer", "create", "North")
	none := w.run("event", "list", "--customer", "1")
	if none.code != exitOK || none.stdout != "" || !strings.Contains(none.stderr, "upstream detect-drift --customer 1") {
		t.Errorf("without events: %+v", none)
	}
	if list := strings.TrimSpace(w.must("event", "list", "--customer", "1", "--json")); list != "[]" {
		t.Errorf("without events: %s", list)
	}
	for _, command := range []string{"show", "claims", "acknowledge", "resolve", "noise", "reopen"} {
		contains(t, w.fails(exitFailed, "event", command, strconv.Itoa(7), "--customer", "1"), "no drift event 7", "upstream event list --customer 1 --all")
	}
	contains(t, w.fails(exitFailed, "event", "list", "--customer", "1", "--all", "--status", "open"), "--all and --status")
	w.fails(exitUsage, "event", "list", "--customer", "1", "--status", "gone")
	contains(t, w.fails(exitFailed, "event", "claims", "1", "--customer", "1", "--limit=-1"), "--limit must be positive")
}

func TestAnEventThatIsOverIsToldOnce(t *testing.T) {
	w := inSQLite(t)
	w.year(60_000)
	told := map[string]int{} // event → feeds that told it as resolved
	for day := time.Date(2025, 9, 2, 0, 0, 0, 0, time.UTC); day.Before(w.now); day = day.AddDate(0, 0, 7) {
		feed := w.must("detect-drift", "--customer", "1", "--as-of", day.Format(time.DateOnly))
		for line := range strings.Lines(feed) {
			if id, over := strings.CutPrefix(line, "resolved #"); over {
				id, _, _ = strings.Cut(id, " ")
				told[id]++
				contains(t, w.must("event", "show", id, "--customer", "1"), "#"+id+" ", "resolved (")
			}
		}
	}
	for id, n := range told {
		if n > 1 {
			t.Errorf("event %s was told as resolved %d times", id, n)
		}
	}
	if len(told) == 0 {
		t.Error("no run of a year has closed an event")
	}
}

func TestARunInThePastChangesNoEvent(t *testing.T) {
	w := inSQLite(t)
	w.found()
	before := w.must("event", "list", "--customer", "1", "--all", "--json")
	back := w.events("--as-of", "2026-05-11")
	if len(back) == 0 {
		t.Error("nothing was found in the past")
	}
	for _, e := range back {
		if id := e.(parsed)["id"].(float64); id != 0 && !strings.Contains(before, fmt.Sprintf("\"id\": %.0f,", id)) {
			t.Errorf("the past has an event %v that is not there", id)
		}
	}
	if after := w.must("event", "list", "--customer", "1", "--all", "--json"); after != before {
		t.Errorf("looking back has changed the events:\n%s\nthey were\n%s", after, before)
	}
}
