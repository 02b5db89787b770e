//go:build ignore

// Command rate asks paths of a server at fixed rates, all at once, and prints how
// long the answers took, counted from when each was due: a server that stalls
// can't hide behind a client that waits for it.
//
//	go run scripts/rate.go -host http://127.0.0.1:8000 -token FILE -time 20s 1000:health/ 500:dashboard/
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type result struct {
	path   string
	rate   int
	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func main() {
	log.SetFlags(0)
	host := flag.String("host", "http://127.0.0.1:8000", "the server")
	tokenFile := flag.String("token", "", "a file with an access token")
	length := flag.Duration("time", 20*time.Second, "for how long")
	flag.Parse()
	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	var all sync.WaitGroup
	var results []*result
	for _, arg := range flag.Args() {
		rate, path, ok := strings.Cut(arg, ":")
		perSecond, err := strconv.Atoi(rate)
		if !ok || err != nil || perSecond < 1 {
			log.Fatalf("%s: write RATE:PATH", arg)
		}
		r := &result{path: path, rate: perSecond}
		results = append(results, r)
		all.Go(func() { r.run(client, *host+"/api/v1/"+path, strings.TrimSpace(string(token)), *length) })
	}
	all.Wait()
	fmt.Printf("%-40s %8s %8s %7s %9s %9s %9s %9s\n", "path", "asked/s", "requests", "failed", "p50", "p95", "p99", "max")
	for _, r := range results {
		slices.Sort(r.took)
		at := func(q float64) time.Duration {
			return r.took[min(int(q*float64(len(r.took))), len(r.took)-1)].Round(10 * time.Microsecond)
		}
		fmt.Printf("%-40s %8d %8d %7d %9v %9v %9v %9v\n", r.path, r.rate, len(r.took), r.failed, at(.5), at(.95), at(.99), at(1))
	}
}

// run sends each request when it is due, however the ones before it fare.
func (r *result) run(client *http.Client, url, token string, length time.Duration) {
	var under sync.WaitGroup
	start := time.Now()
	for i := range int(length.Seconds() * float64(r.rate)) {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(r.rate))
		time.Sleep(time.Until(due))
		under.Go(func() { r.one(client, url, token, due) })
	}
	under.Wait()
}

func (r *result) one(client *http.Client, url, token string, due time.Time) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(req)
	ok := err == nil && answer.StatusCode == http.StatusOK
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		ok = ok && err == nil
	}
	took := time.Since(due)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
	if !ok {
		r.failed++
	}
}
