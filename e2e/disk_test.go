package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upstream/internal/pgtest"
)

// smallDisk mounts a file system of a few megabytes, or skips.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		pgtest.Missing(t, "the right to mount a small disk ("+strings.TrimSpace(string(out))+")")
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk ends a load with an error, keeps what was committed, and the same
// command goes on once there is room.
func TestFullDiskKeepsWhatIsThereAndTheRerunGoesOn(t *testing.T) {
	const rows, batch = 60_000, 10_000
	file := generatedCSV(t, rows, "3")
	fromFile, _ := claimsAfter(t, file, batch)
	loads := []struct {
		name    string
		args    []string
		batches []int64 // the claims after each batch
	}{
		{"ingest", []string{"ingest", "--customer", "1", file}, fromFile},
		{"generate", []string{"generate-synthetic-data", "--customer", "1", "--records", strconv.Itoa(rows), "--as-of", "2026-06-30"}, everyBatch(rows, batch)},
	}
	for _, load := range loads {
		t.Run(load.name, func(t *testing.T) {
			dir := smallDisk(t, "8m")
			url := "sqlite:" + filepath.Join(dir, "upstream.db")
			must(t, url, "customer", "create", "A")
			r := do(t, url, load.args...)
			if lines := strings.Split(strings.TrimSpace(r.stderr), "\n"); r.code != 1 || strings.Count(r.stderr, "upstream: ") != 1 ||
				!strings.HasPrefix(lines[len(lines)-1], "upstream: ") || !strings.Contains(r.stderr, "full") || !strings.Contains(r.stderr, "run the command again") {
				t.Fatalf("exit %d, want one line that tells of a full disk and what to do:\n%s", r.code, r.stderr)
			}
			if out, err := exec.Command("mount", "-o", "remount,size=200m", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			kept := claims(t, url)
			if kept >= rows || !slices.Contains(load.batches, kept) {
				t.Errorf("%d claims are kept, want some whole batches", kept)
			}
			must(t, url, load.args...)
			if n := claims(t, url); n != rows {
				t.Errorf("%d claims after the rerun, want %d", n, rows)
			}
		})
	}
}

func TestFullDiskOfAnOutputFileIsAnError(t *testing.T) {
	dir := smallDisk(t, "1m")
	r := do(t, "sqlite:"+filepath.Join(dir, "unused.db"), "generate-synthetic-data", "--records", "100000", "--format", "csv", "--output", filepath.Join(dir, "claims.csv"))
	if r.code != 1 || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "upstream: can't write") || !strings.Contains(r.stderr, "no space left") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

// A file of 2 GB that begins like a CSV and goes on with nothing is read to its
// end in constant memory.
func TestHugeLineIsRejectedInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 2 GB")
	}
	path := file(t, "huge.csv", []byte(header+goodRow))
	if err := os.Truncate(path, 2<<30); err != nil {
		t.Fatal(err)
	}
	url := engines[0].URL(t)
	must(t, url, "customer", "create", "A")
	r := do(t, url, "ingest", "--customer", "1", path)
	if r.code != 0 || !strings.Contains(r.stdout, "2 read, 1 inserted, 0 updated, 0 unchanged, 1 rejected") || !strings.Contains(r.stdout, "row longer than 1 MiB") {
		t.Errorf("exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r.peakBytes == 0 || r.peakBytes > 150e6 {
		t.Errorf("peak memory %d MB, want at most 150", r.peakBytes/1e6)
	}
	if n := claims(t, url); n != 1 {
		t.Errorf("%d claims, want 1", n)
	}
}
