package upstream

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// PayerMapping says which payer a customer's files mean by a spelling.
type PayerMapping struct {
	ID  int64  `json:"id"`       // counts from 1 in a customer
	Key string `json:"raw_key"`  // PayerKey of the spelling, by which it is known; unique in a customer
	Raw string `json:"raw_name"` // the spelling, 1 to 200 characters
	// Payer is the one name, 1 to 200 characters. A spelling that is mapped to
	// itself is a payer of its own, also where the table that ships says otherwise.
	Payer string `json:"payer"`
}

// CPTMapping puts a procedure code into a group of the customer's choice.
type CPTMapping struct {
	ID       int64  `json:"id"`        // counts from 1 in a customer
	Code     string `json:"code"`      // CPT or HCPCS, unique in a customer
	CPTGroup string `json:"cpt_group"` // 1 to 100 characters
}

// UnmatchedPayer is a payer among a customer's claims that neither the table that
// ships nor a mapping knows.
type UnmatchedPayer struct {
	Payer  string `json:"payer"`
	Claims int64  `json:"claims"`
}

// UnmatchedCode is a procedure code among a customer's claims that no range of the
// table that ships names and no mapping either.
type UnmatchedCode struct {
	Code string `json:"code"`
	// Claims are those that a primary payer denied or allowed something for.
	Claims int64 `json:"claims"`
}

// Longest texts of a mapping, in characters.
const (
	maxPayerName = 200
	maxGroupName = 100
)

// Normalize brings a mapping into the form in which it is stored and sets its Key,
// or says what is wrong with it.
func (m *PayerMapping) Normalize() error {
	m.Raw, m.Payer = oneLine(m.Raw), oneLine(m.Payer)
	m.Key = PayerKey(m.Raw)
	switch {
	case !storable(m.Raw, maxPayerName) || m.Key == "":
		return Errorf(Invalid, "a spelling has 1 to %d characters, of them letters or digits, and is no spreadsheet formula", maxPayerName)
	case !storable(m.Payer, maxPayerName) || PayerKey(m.Payer) == "":
		return Errorf(Invalid, "a payer's name has 1 to %d characters, of them letters or digits, and is no spreadsheet formula", maxPayerName)
	}
	return nil
}

// Normalize brings a mapping into the form in which it is stored, or says what is
// wrong with it.
func (m *CPTMapping) Normalize() error {
	m.Code, m.CPTGroup = strings.ToUpper(strings.TrimSpace(m.Code)), oneLine(m.CPTGroup)
	switch {
	case !IsProcedureCode(m.Code):
		return Errorf(Invalid, "not a CPT or HCPCS code; write five characters, as 99213 or J1100")
	case !storable(m.CPTGroup, maxGroupName):
		return Errorf(Invalid, "a procedure group has a name of 1 to %d characters that is no spreadsheet formula", maxGroupName)
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// storable reports whether a text may be stored: somebody will export it again.
func storable(s string, longest int) bool {
	n := utf8.RuneCountInString(s)
	return n > 0 && n <= longest && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune("=+-@", rune(s[0]))
}

// PayerNames are a customer's own payer mappings: from PayerKey of a spelling to
// the payer. They come before the table that ships; nil are none.
type PayerNames map[string]string

// Name returns the one name of a payer that a file spells as raw: by the
// customer's mappings, or else by PayerName, whose answer may be mapped again.
func (p PayerNames) Name(raw string) string {
	if _, own := p[PayerKey(raw)]; !own {
		raw, _ = PayerName(raw)
	}
	name, _ := p.Resolve(raw)
	return name
}

// Resolve follows the mappings alone, from one to the next, to the payer at their
// end; ok is false where they lead round in a circle.
func (p PayerNames) Resolve(name string) (payer string, ok bool) {
	for range len(p) {
		next, mapped := p[PayerKey(name)]
		if !mapped || next == name {
			return name, true
		}
		name = next
	}
	next, mapped := p[PayerKey(name)]
	return name, !mapped || next == name
}

// Knows reports whether a mapping or the table that ships knows a payer, as a
// spelling or as what spellings are mapped to.
func (p PayerNames) Knows(payer string) bool {
	if _, known := PayerName(payer); known {
		return true
	}
	if _, known := p[PayerKey(payer)]; known {
		return true
	}
	for _, name := range p {
		if name == payer {
			return true
		}
	}
	return false
}

// CPTGroups are a customer's own procedure groups, by code. They come before the
// table that ships; nil are none.
type CPTGroups map[string]string

// Of returns the group of a code: the customer's own, or else that of CPTGroup.
func (g CPTGroups) Of(code string) string {
	if own, ok := g[code]; ok {
		return own
	}
	return CPTGroup(code)
}
