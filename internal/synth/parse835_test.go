package synth

import (
	"strconv"
	"strings"
	"testing"

	"upstream"
)

// transaction is one ST/SE of an 835, as this test reads it: by the standard,
// without a line of the writer's code.
type transaction struct {
	payer, date   string
	bpr, clp, plb upstream.Money
	forwarded     upstream.Money // of plb: negative to a later remittance, positive from one before
	claims        []remitted
}

type remitted struct {
	id, status, control, cpt, modifiers, location, filing string
	service, received                                     string
	billed, paid, allowed                                 upstream.Money
	units                                                 int
	carc, rarc                                            []string
}

// parse835 reads a file and checks the balances and counts of its envelopes.
func parse835(t *testing.T, file string) []transaction {
	t.Helper()
	if !strings.HasPrefix(file, "ISA*") || file[105] != '~' {
		t.Fatalf("no ISA segment of 106 characters: %.110q", file)
	}
	var sets []transaction
	var segments, groupSets int
	var control string
	var cas upstream.Money // of the open claim
	amount := func(s string) upstream.Money {
		m, err := upstream.ParseMoney(s)
		if err != nil {
			t.Fatalf("amount %q: %v", s, err)
		}
		return m
	}
	closeClaim := func() {
		if len(sets) == 0 || len(sets[len(sets)-1].claims) == 0 {
			return
		}
		s := &sets[len(sets)-1]
		c := &s.claims[len(s.claims)-1]
		if c.billed-cas != c.paid {
			t.Fatalf("claim %s: %v - %v is not %v", c.id, c.billed, cas, c.paid)
		}
	}
	for _, segment := range strings.Split(strings.TrimSuffix(file, "~\n"), "~\n") {
		e := strings.Split(segment, "*")
		segments++
		get := func(k int) string {
			if k < len(e) {
				return e[k]
			}
			return ""
		}
		var s *transaction
		var c *remitted
		if len(sets) > 0 {
			s = &sets[len(sets)-1]
			if len(s.claims) > 0 {
				c = &s.claims[len(s.claims)-1]
			}
		}
		switch e[0] {
		case "ISA", "GS", "TRN", "N3", "N4", "PER", "LX", "NM1":
		case "ST":
			sets, segments, control = append(sets, transaction{}), 1, get(2)
		case "BPR":
			s.bpr, s.date = amount(get(2)), get(16)
			if s.bpr < 0 || (s.bpr > 0) != (get(4) == "ACH") || get(3) != "C" {
				t.Fatalf("paid by %s: %v", get(4), s.bpr)
			}
		case "DTM":
			switch get(1) {
			case "405":
				if get(2) != s.date {
					t.Fatalf("produced %s, paid %s", get(2), s.date)
				}
			case "050":
				c.received = get(2)
			case "472":
				c.service = get(2)
			}
		case "N1":
			if get(1) == "PR" {
				s.payer = get(2)
			}
		case "CLP":
			closeClaim()
			cas = 0
			s.claims = append(s.claims, remitted{id: get(1), status: get(2), billed: amount(get(3)), paid: amount(get(4)), filing: get(6), control: get(7)})
			s.clp += amount(get(4))
		case "SVC":
			codes := strings.Split(get(1), ":")
			c.cpt, c.modifiers = codes[1], strings.Join(codes[2:], " ")
			c.units, _ = strconv.Atoi(get(5))
			if amount(get(2)) != c.billed || amount(get(3)) != c.paid {
				t.Fatalf("line and claim %s differ", c.id)
			}
		case "CAS":
			cas += amount(get(3))
			c.carc = append(c.carc, get(1)+"-"+get(2))
		case "REF":
			c.location = get(2)
		case "AMT":
			c.allowed = amount(get(2))
		case "LQ":
			c.rarc = append(c.rarc, get(2))
		case "PLB":
			s.plb += amount(get(4))
			if get(3) == "FB" {
				s.forwarded += amount(get(4))
			} else if get(3) != "L6" {
				t.Fatalf("provider adjustment %s", get(3))
			}
		case "SE":
			closeClaim()
			if get(1) != strconv.Itoa(segments) || get(2) != control {
				t.Fatalf("SE says %s segments of %s, want %d of %s", get(1), get(2), segments, control)
			}
			if s.bpr != s.clp-s.plb {
				t.Fatalf("payment %v is not %v - %v", s.bpr, s.clp, s.plb)
			}
			groupSets++
		case "GE":
			if get(1) != strconv.Itoa(groupSets) {
				t.Fatalf("GE says %s transactions, want %d", get(1), groupSets)
			}
		case "IEA":
		default:
			t.Fatalf("segment %s", e[0])
		}
	}
	if !strings.HasSuffix(file, "IEA*1*000000001~\n") {
		t.Fatal("the interchange does not end")
	}
	return sets
}
