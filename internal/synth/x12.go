package synth

import (
	"strconv"

	"upstream"
)

// segments builds X12 text: elements end in *, components in :, segments in ~
// and a line break, which readers skip. Empty elements at a segment's end are
// left out, as the standard asks.
type segments struct {
	b     []byte
	count int
}

func (s *segments) start(id string) *segments {
	s.b = append(s.b, id...)
	return s
}

// text appends an element, without the characters that would end it.
func (s *segments) text(v string) *segments {
	s.b = append(s.b, '*')
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '*' || c == '~' || c < ' ':
		case (c == ':' || c == '^') && len(v) > 1: // alone only in ISA, which names them
		default:
			s.b = append(s.b, c)
		}
	}
	return s
}

// component appends a component to the last element.
func (s *segments) component(v string) *segments {
	s.b = append(append(s.b, ':'), v...)
	return s
}

// money appends an amount as X12 writes decimals: without zeros at the end.
func (s *segments) money(m upstream.Money) *segments {
	s.b = append(s.b, '*')
	v := int64(m)
	if v < 0 {
		s.b, v = append(s.b, '-'), -v
	}
	s.b = strconv.AppendInt(s.b, v/100, 10)
	switch cents := v % 100; {
	case cents == 0:
	case cents%10 == 0:
		s.b = append(s.b, '.', byte('0'+cents/10))
	default:
		s.b = append(s.b, '.', byte('0'+cents/10), byte('0'+cents%10))
	}
	return s
}

// date appends CCYYMMDD.
func (s *segments) date(days *dayCache, d upstream.Day) *segments {
	var buf [10]byte
	iso := days.append(buf[:0], d)
	s.b = append(s.b, '*')
	if len(iso) == 10 {
		s.b = append(append(append(s.b, iso[:4]...), iso[5:7]...), iso[8:]...)
	}
	return s
}

func (s *segments) end() {
	for s.b[len(s.b)-1] == '*' {
		s.b = s.b[:len(s.b)-1]
	}
	s.b = append(s.b, '~', '\n')
	s.count++
}
