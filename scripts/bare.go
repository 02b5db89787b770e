//go:build ignore

// Command bare answers each path with the bytes of a file of that name: net/http
// and nothing else, the ceiling that the API is measured against.
//
//	go run scripts/bare.go 127.0.0.1:8500 DIRECTORY
package main

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	files, err := os.ReadDir(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		body, err := os.ReadFile(filepath.Join(os.Args[2], f.Name()))
		if err != nil {
			log.Fatal(err)
		}
		http.HandleFunc("/"+f.Name(), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		})
	}
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
