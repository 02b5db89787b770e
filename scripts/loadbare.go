//go:build ignore

// loadbare is a load generator that counts nothing, the ceiling for ours:
//
//	go run scripts/loadbare.go -engine std|fast -host http://127.0.0.1:8712 -time 10s
//
// 50 users ask, without waits, with what the load tester's engines stand on.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	engine := flag.String("engine", "std", "")
	host := flag.String("host", "http://127.0.0.1:8712", "")
	lasts := flag.Duration("time", 10*time.Second, "")
	flag.Parse()
	url, end := *host+"/api/v1/health/", time.Now().Add(*lasts)
	users := map[string]func(){"std": func() { std(url, end) }, "fast": func() { fast(url, end) }}
	var all sync.WaitGroup
	for range 50 {
		all.Go(users[*engine])
	}
	all.Wait()
}

func std(url string, end time.Time) {
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	for time.Now().Before(end) {
		r, err := client.Get(url)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}

func fast(url string, end time.Time) {
	var client fasthttp.Client
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	for time.Now().Before(end) {
		request.SetRequestURI(url)
		if err := client.Do(request, answer); err != nil {
			log.Fatal(err)
		}
	}
}
