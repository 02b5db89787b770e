package api

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/openapi.yaml anew")

const committed = "../../docs/openapi.yaml"

func TestTheCommittedDocumentIsTheServers(t *testing.T) {
	w := newWorld(t, worldOptions{change: func(o *Options) { o.Version = "dev" }})
	got := w.get("", "openapi.yaml").want(200).body
	if *update {
		if err := os.WriteFile(committed, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
