package store

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
	"upstream"
)

func TestBlobsComeBackAsTheyWere(t *testing.T) {
	small := rapid.Int64Range(-1<<40, 1<<40)
	rapid.Check(t, func(r *rapid.T) {
		cells := combine(rapid.SliceOf(rapid.Custom(func(r *rapid.T) cell {
			return cell{
				cellKey{
					rapid.Int32Range(0, 40_000).Draw(r, "day"), rapid.Uint32().Draw(r, "payer"), rapid.Uint32Range(0, 5).Draw(r, "group"),
					rapid.Int32Range(noLag, 4000).Draw(r, "lag"), rapid.Uint8().Draw(r, "class"),
				},
				cellSum{rapid.Int64Range(-3, 3).Draw(r, "count"), small.Draw(r, "billed"), small.Draw(r, "allowed"), small.Draw(r, "paid")},
			}
		})).Draw(r, "cells"))
		var back []cell
		if err := decodeCells(encodeCells(cells), func(c cell) { back = append(back, c) }); err != nil || !equal(cells, back) {
			t.Fatalf("%v\n%v\n%v", err, cells, back)
		}
		points := combinePoints(rapid.SliceOf(rapid.Custom(func(r *rapid.T) point {
			return point{rapid.Uint32().Draw(r, "payer"), rapid.Uint32Range(0, 5).Draw(r, "group"), rapid.Int32Range(64, 95).Draw(r, "day"), pointSum{small.Draw(r, "decided"), small.Draw(r, "denied"), small.Draw(r, "allowed")}}
		})).Draw(r, "points"))
		var pointsBack []point
		err := decodePoints(2, encodePoints(points), func(payer, group uint32) func(int32, pointSum) {
			return func(day int32, s pointSum) { pointsBack = append(pointsBack, point{payer, group, day, s}) }
		})
		if err != nil || !equal(points, pointsBack) {
			t.Fatalf("%v\n%v\n%v", err, points, pointsBack)
		}
	})
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func FuzzDecodeCells(f *testing.F) {
	f.Add(encodeCells([]cell{{cellKey{20_000, 1, 2, noLag, 1}, cellSum{1, 2, 3, 4}}, {cellKey{20_001, 300, 2, 14, 3}, cellSum{-1, -2, 0, 1 << 40}}}))
	f.Add([]byte{cellFormat})
	f.Add([]byte{9, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var cells []cell
		if err := decodeCells(b, func(c cell) { cells = append(cells, c) }); err == nil {
			var back []cell
			if err := decodeCells(encodeCells(cells), func(c cell) { back = append(back, c) }); err != nil || !equal(cells, back) {
				t.Errorf("%v: %v became %v", err, cells, back)
			}
		}
	})
}

func FuzzDecodePoints(f *testing.F) {
	f.Add(encodePoints([]point{{1, 2, 20_000, pointSum{3, 1, 500}}, {1, 3, 20_001, pointSum{3, 1, 500}}}))
	f.Add([]byte{pointFormat, 1, 1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := decodePoints(20_000>>periodBits, b, func(uint32, uint32) func(int32, pointSum) {
			return func(int32, pointSum) { n++ }
		})
		if err == nil && n > len(b) {
			t.Errorf("%d points out of %d bytes", n, len(b))
		}
	})
}

// The formats are stored: other bytes for the same cells need another first byte.
func TestFormatsAreTheDocumentedOnes(t *testing.T) {
	cells := []cell{{cellKey{3, 1, 2, noLag, 1}, cellSum{1, 2, 3, -1}}, {cellKey{4, 300, 2, 14, 0x13}, cellSum{2, 0, 0, 0}}}
	if got, want := fmt.Sprintf("%x", encodeCells(cells)), "01"+"0601020001"+"02040601"+"02ac02020f13"+"04000000"; got != want {
		t.Errorf("cells %s, want %s", got, want)
	}
	points := []point{{1, 2, 65, pointSum{3, 1, 64}}, {1, 2, 66, pointSum{1, 0, 0}}, {7, 1, 95, pointSum{-1, 0, 0}}}
	if got, want := fmt.Sprintf("%x", encodePoints(points)), "01"+"010202"+"0106028001"+"02020000"+"070101"+"1f010000"; got != want {
		t.Errorf("points %s, want %s", got, want)
	}
}
