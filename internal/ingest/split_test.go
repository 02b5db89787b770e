package ingest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// splitAll returns the rows of a text; one that can't be split stands there as
// "fault" with its reason.
func splitAll(text string, delim byte, width int) [][]string {
	s := splitter{src: strings.NewReader(text), delim: delim, eol: lineEnd([]byte(text))}
	s.setWidth(width)
	var rows [][]string
	for {
		f, err := s.next()
		if err != nil {
			return rows
		}
		if f != sound {
			rows = append(rows, []string{"fault", [...]string{"", "too long", "misquoted"}[f], fmt.Sprint(s.cut)})
			continue
		}
		row := []string{}
		for _, field := range s.fields[:min(s.count, width)] {
			row = append(row, string(field))
		}
		rows = append(rows, row)
	}
}

func TestRowsAndFields(t *testing.T) {
	cut, misquoted := []string{"fault", "misquoted", "true"}, []string{"fault", "misquoted", "false"}
	tests := []struct {
		name, text string
		delim      byte
		want       [][]string
	}{
		{"plain rows", "a,b\nc,d\n", ',', [][]string{{"a", "b"}, {"c", "d"}}},
		{"no line end at the end", "a,b\nc,d", ',', [][]string{{"a", "b"}, {"c", "d"}}},
		{"carriage return and line feed", "a,b\r\nc,d\r\n", ',', [][]string{{"a", "b"}, {"c", "d"}}},
		{"doubled carriage returns", "a,\"b\"\r\r\nc,d\r\r\n", ',', [][]string{{"a", "b"}, {"c", "d"}}},
		{"carriage returns alone", "a,b\rc,\"d\ne\"\rf,g", ',', [][]string{{"a", "b"}, {"c", "d\ne"}, {"f", "g"}}},
		{"carriage return at the end", "a\n\r", ',', [][]string{{"a"}}},
		{"empty lines", "\n\r\na\n\n\nb\n\n", ',', [][]string{{"a"}, {"b"}}},
		{"empty fields", ",\n,,\n", ',', [][]string{{"", ""}, {"", "", ""}}},
		{"an empty quoted field", "\"\"\n", ',', [][]string{{""}}},
		{"semicolons", "a;b,c\n", ';', [][]string{{"a", "b,c"}}},
		{"tabs", "a\tb\n", '\t', [][]string{{"a", "b"}}},
		{"pipes", "a|\"b|c\"\n", '|', [][]string{{"a", "b|c"}}},
		{"a quoted delimiter", `"a,b",c`, ',', [][]string{{"a,b", "c"}}},
		{"a quoted line break", "a,\"b\r\nc\"\nd,e\n", ',', [][]string{{"a", "b\r\nc"}, {"d", "e"}}},
		{"doubled quotes", `a,"say ""b"" now",""""` + "\n", ',', [][]string{{"a", `say "b" now`, `"`}}},
		{"a quote in an unquoted field", "a,5'10\"\nb,c\"d\n", ',', [][]string{{"a", `5'10"`}, {"b", `c"d`}}},
		{"a single quote in a quoted field", "a,\"b \"x\" c\",d\n", ',', [][]string{{"a", `b "x" c`, "d"}}},
		{"text behind a closing quote", "\"a\" ,b\n", ',', [][]string{misquoted}},
		{"an open quote at the end", "a,b\nc,\"d", ',', [][]string{{"a", "b"}, cut}},
		{"an open quote", "a,\"b\nc,d\ne,f\n", ',', [][]string{cut, {"c", "d"}, {"e", "f"}}},
		{"an open quote before a quoted field", "a,\"b\nc,d\ne,\"f\"\n", ',', [][]string{misquoted, {"c", "d"}, {"e", "f"}}},
		{"an open quote before a quoted line break", "a,\"b\nc,\"d\ne\"\nf,g\n", ',', [][]string{misquoted, {"c", "d\ne"}, {"f", "g"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := splitAll(test.text, test.delim, 10); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestRowsLongerThanTheLimitAreSkippedAlone(t *testing.T) {
	long := []string{"fault", "too long", "false"}
	misquoted := []string{"fault", "misquoted", "false"}
	tests := []struct {
		name, row string
		want      [][]string // of the row; its fields by their length
	}{
		{"exactly the limit", strings.Repeat("x", maxRow) + "\n", [][]string{{fmt.Sprint(maxRow)}}},
		{"exactly the limit, carriage return", strings.Repeat("x", maxRow) + "\r\n", [][]string{{fmt.Sprint(maxRow)}}},
		{"quoted, exactly the limit", `"` + strings.Repeat("x", maxRow-2) + "\"\n", [][]string{{fmt.Sprint(maxRow - 2)}}},
		{"one over the limit", strings.Repeat("x", maxRow+1) + "\n", [][]string{long}},
		{"quoted, one over the limit", `"` + strings.Repeat("x", maxRow-1) + "\"\n", [][]string{long}},
		{"many buffers", strings.Repeat("x", 5*maxRow) + "\n", [][]string{long}},
		{"a second line that is too long", "\"a\nb\"," + strings.Repeat("x", 2*maxRow) + "\n", [][]string{long, long}},
		{"lines that are too long together", "\"a\nb\"," + strings.Repeat("x", maxRow-5) + "\n", [][]string{long, {"2", fmt.Sprint(maxRow - 5)}}},
		{
			"an open quote and no end in sight", "a,\"b\n" + strings.Repeat("c,d\n", maxRow/2),
			append([][]string{misquoted}, slices.Repeat([][]string{{"1", "1"}}, maxRow/2)...),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := splitAll("first,row\n"+test.row+"last,row\n", ',', 10)
			if len(got) < 2 || got[0][0] != "first" || got[len(got)-1][0] != "last" {
				t.Fatalf("the rows around it are lost: %d rows", len(got))
			}
			got = got[1 : len(got)-1]
			for _, row := range got {
				for i := range row {
					if row[0] != "fault" {
						row[i] = fmt.Sprint(len(row[i]))
					}
				}
			}
			if !slices.EqualFunc(got, test.want, slices.Equal) {
				t.Errorf("got %d rows from %q, want %d", len(got), got[0], len(test.want))
			}
		})
	}
}

func TestFieldsBeyondTheWidthAreCountedNotKept(t *testing.T) {
	for text, surplus := range map[string]bool{"a,b,,,\n": false, "a,b,,x,\n": true, "a,b,\"\",\"\"\n": false, "a,b,\"\",\"x\"\n": true} {
		s := splitter{src: strings.NewReader(text), delim: ',', eol: '\n'}
		s.setWidth(2)
		if f, err := s.next(); f != sound || err != nil {
			t.Fatal(f, err)
		}
		if s.surplus != surplus || s.count != strings.Count(text, ",")+1 {
			t.Errorf("%q: %d fields, surplus %t", text, s.count, s.surplus)
		}
	}
}

func TestARowReadAgainGivesItsLinesBack(t *testing.T) {
	s := splitter{src: strings.NewReader("a,\"b\nc,d\ne\",f,g\nh,i\n"), delim: ',', eol: '\n'}
	s.setWidth(4)
	var got []string
	for {
		f, err := s.next()
		if err == io.EOF {
			break
		}
		got = append(got, fmt.Sprint(f, s.count))
		if s.count != 2 {
			s.retry()
		}
	}
	if want := []string{"0 4", "0 2", "0 3", "0 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSplitterReadsWhatEncodingCSVWrites holds for any content whatever.
func TestSplitterReadsWhatEncodingCSVWrites(t *testing.T) {
	field := rapid.OneOf(
		rapid.StringMatching(`[ab",;\n\t |é'=0-9]{0,12}`),
		rapid.StringMatching(`[A-Z0-9]{1,8}`),
		rapid.StringMatching(`"{1,5}`))
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 6).Draw(t, "width")
		rows := rapid.SliceOfN(rapid.SliceOfN(field, width, width), 1, 20).Draw(t, "rows")
		delim := rapid.SampledFrom(delimiters[:]).Draw(t, "delimiter")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = rune(delim)
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		got := splitAll(b.String(), delim, width)
		for i := range got {
			for j := range got[i] {
				got[i][j] = strings.ReplaceAll(got[i][j], "\r\n", "\n")
			}
		}
		if !slices.EqualFunc(got, rows, slices.Equal) {
			t.Fatalf("wrote %q, read %q", rows, got)
		}
	})
}

// FuzzSplitter compares the splitter with encoding/csv on what the latter takes.
func FuzzSplitter(f *testing.F) {
	for _, text := range []string{"a,b\nc,d\n", "a,\"b\"\"c\"\r\n", "\"a\nb\",c", "\n\n,\n", "\"\"", "a\rb,c\n", "\"a\r\nb\"\n"} {
		f.Add(text)
	}
	for _, name := range sampleNames {
		f.Add(string(seed(f, name)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\r\r") || lineEnd([]byte(text)) != '\n' {
			t.Skip("line ends that encoding/csv has no rule for")
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			t.Skip("encoding/csv refuses it")
		}
		got := splitAll(text, ',', len(text)+1)
		for i := range got {
			for j := range got[i] {
				got[i][j] = strings.ReplaceAll(got[i][j], "\r\n", "\n")
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("read %q as\n%q, encoding/csv as\n%q", text, got, want)
		}
	})
}
