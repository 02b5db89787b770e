//go:build ignore

// loadserver answers 1 kB to whatever is asked, for tests of the load tester itself:
//
//	go run scripts/loadserver.go -listen 127.0.0.1:8712 [-stall 200ms -every 2s]
//
// It stalls all requests for the first part of each period. GET /served tells how many
// others it has answered. A request for a token gets one.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8712", "")
	stall := flag.Duration("stall", 0, "")
	every := flag.Duration("every", 2*time.Second, "")
	flag.Parse()
	var served atomic.Int64
	body, began := bytes.Repeat([]byte("x"), 1024), time.Now()
	log.Fatal(fasthttp.ListenAndServe(*listen, func(c *fasthttp.RequestCtx) {
		if string(c.Path()) == "/served" {
			fmt.Fprint(c, served.Load())
			return
		}
		if in := time.Since(began) % *every; in < *stall {
			time.Sleep(*stall - in)
		}
		served.Add(1)
		if c.IsPost() {
			c.SetBodyString(`{"access":"token"}`)
			return
		}
		c.SetBody(body)
	}))
}
