package ingest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf16"

	"upstream"
)

func zipOf(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func utf16Of(mark, text string, big bool) string {
	b := []byte(mark)
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func TestFilesThatAreNoCSVAreNamed(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte("payer,cpt"))
	w.Close()
	text := "payer,cpt,dos,status\nAetna,99213,1/2/26,open\n"
	tests := []struct{ name, data, says string }{
		{"nothing", "", "empty"},
		{"white space", " \r\n\t\n", "empty"},
		{"a mark alone", "\ufeff", "empty"},
		{"a mark and a line end", "\ufeff\r\n", "empty"},
		{"a delimiter named and nothing more", "sep=;\n", "empty"},
		{"a mark and many buffers of line ends", "\ufeff" + strings.Repeat("\n", 200<<10), "empty"},
		{"a workbook", zipOf(t, "[Content_Types].xml", "xl/workbook.xml"), "XLSX workbook"},
		{"an archive", zipOf(t, "claims.csv"), "ZIP archive"},
		{"an empty archive", zipOf(t), "empty ZIP archive"},
		{"an old workbook", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "XLS"},
		{"a document", "%PDF-1.7\n", "PDF"},
		{"a gzip file", packed.String(), "gzip"},
		{"a web page", "<html><table>", "web page"},
		{"an X12 file", "ISA*00*          *00*", "X12"},
		{"UTF-16, little end first", utf16Of("\xff\xfe", text, false), "UTF-16"},
		{"UTF-16, big end first", utf16Of("\xfe\xff", text, true), "UTF-16"},
		{"UTF-16 without a mark", utf16Of("", text, false), "UTF-16"},
		{"UTF-16 without a mark, big end first", utf16Of("", text, true), "UTF-16"},
		{"a program", "\x7fELF\x02\x01\x01\x00\x00\x00\x00", "binary"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newCSV(test.data, nil)
			if upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error is %v; it does not say %q", err, test.says)
			}
		})
	}
}

func TestANulBehindTheHeaderIsNoBinaryFile(t *testing.T) {
	claims, rejects := loadText(t, "payer,cpt,dos,status\nAet\x00na,99213,1/2/26,open\nAetna,99213,1/2/26,open\n")
	if len(claims) != 1 || len(rejects) != 1 || rejects[0].ValueClass != "nul" || rejects[0].Column != "payer" {
		t.Errorf("claims %+v, rejects %+v", claims, rejects)
	}
}

func TestANulBehindTheLastColumnHasNoColumn(t *testing.T) {
	_, rejects := loadText(t, "payer,cpt,dos,status\nAetna,99213,1/2/26,open,\x00\n")
	if len(rejects) != 1 || rejects[0].ValueClass != "nul" || rejects[0].Column != "" {
		t.Errorf("rejects %+v", rejects)
	}
}

func TestLineEndIsThatOfTheFirstRow(t *testing.T) {
	for text, want := range map[string]byte{
		"": '\n', "a": '\n', "a\n": '\n', "a\r\nb": '\n', "a\r\r\nb": '\n', "a\rb": '\r', "a\rb\n": '\r',
		"\"a\rb\"\nc": '\n', "\"a\nb\"\rc": '\r', "a\r": '\n',
	} {
		if got := lineEnd([]byte(text)); got != want {
			t.Errorf("%q ends rows with %q, want %q", text, got, want)
		}
	}
}
