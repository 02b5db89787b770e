package synth

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"upstream"
)

const (
	// maxRemittanceClaims keeps a transaction within the 10,000 claims that the
	// implementation guide advises.
	maxRemittanceClaims = 5000
	// defaultERAMemory bounds what an ERAWriter keeps back, in bytes.
	defaultERAMemory = 32 << 20

	// Interest that payers owe on late payments (assumed: most state laws ask
	// 10–18 % a year after 30 days for electronic claims).
	promptPayDays   = 30
	interestPercent = 12
)

// ERAWriter writes decided claims as an X12 835 (005010X221A1), one transaction
// a payer and payment date: the remittances a practice would have received.
// Pending claims do not appear. A reversal is the payment with its amounts
// negated (CLP02 22). Each transaction balances; interest on late first
// decisions stands at provider level (PLB L6), and so does what a remittance
// takes back beyond what it pays: it is carried into the payer's next one (FB).
//
// It keeps a remittance back until the claims' submitted dates have passed its
// date, so claims should come in order of submitted date. Memory is bounded:
// when too much is kept back, the oldest remittance is written and a later claim
// of it opens another, as payers do that pay twice a day.
type ERAWriter struct {
	w       io.Writer
	created upstream.Day
	limit   int // bytes kept back

	open   []*remittance // sorted by date, then payer
	held   int           // bytes in open
	swept  upstream.Day  // remittances before it are written
	sets   int           // transactions written
	begun  bool
	err    error
	days   dayCache
	filing map[string]string // CLP06 by payer

	last upstream.Claim            // the state written last, which a reversal negates
	owed map[string]upstream.Money // by payer: what was taken back and not yet deducted
}

// remittance is one transaction in the making: its claims, rendered, and totals.
type remittance struct {
	date     upstream.Day
	payer    string
	body     []byte
	segments int
	claims   int
	paid     upstream.Money
	interest upstream.Money
}

// NewERAWriter returns a writer of a file created on that day. Close must be called.
func NewERAWriter(w io.Writer, created upstream.Day) *ERAWriter {
	e := &ERAWriter{w: w, created: created, limit: defaultERAMemory, filing: map[string]string{}, owed: map[string]upstream.Money{}}
	for k := range maxPayers {
		f := factsOf(k)
		e.filing[f.name] = classTable[f.class].filing
	}
	return e
}

// Write adds one state of a claim; a pending one is passed over. The states of
// a claim come one after the other, as Generator.States has them. An error of
// the underlying writer stays. A claim whose money does not balance is Invalid,
// and so is a reversal of anything but the payment written before it.
func (e *ERAWriter) Write(c *upstream.Claim) error {
	if c.Outcome == upstream.Pending || e.err != nil {
		return e.err
	}
	if c.PaymentDate == 0 {
		return upstream.Errorf(upstream.Invalid, "only decisions with a payment date can stand in an 835")
	}
	if c.Outcome == upstream.Reversed && (e.last.ClaimID != c.ClaimID || e.last.Line != c.Line || e.last.Outcome != upstream.Paid) {
		return upstream.Errorf(upstream.Invalid, "a reversal in an 835 must follow the payment that it takes back")
	}
	for c.SubmittedDate > e.swept && len(e.open) > 0 && e.open[0].date < c.SubmittedDate {
		e.write(0)
	}
	e.swept = max(e.swept, c.SubmittedDate)
	stated := c
	if c.Outcome == upstream.Reversed {
		stated = &e.last
	}
	off, patient := adjustments(stated)
	if stated.Billed != stated.Paid+off.amount+patient.amount || off.amount < 0 || patient.amount < 0 {
		return upstream.Errorf(upstream.Invalid, "this claim's adjustments do not explain its payment; an 835 must balance")
	}
	k := e.find(c.PaymentDate, c.Payer)
	r := e.open[k]
	before := len(r.body)
	if c.Outcome == upstream.Reversed {
		e.reverse(r, off, patient)
	} else {
		e.add(r, c, status(c, off), off, patient)
		r.interest += interest(c)
	}
	e.last = *c
	e.held += len(r.body) - before
	if r.claims >= maxRemittanceClaims {
		e.write(k)
	}
	for e.held > e.limit {
		e.write(0)
	}
	return e.err
}

// find returns the place of a remittance in open, making it when there is none.
func (e *ERAWriter) find(date upstream.Day, payer string) int {
	k, found := slices.BinarySearchFunc(e.open, date, func(r *remittance, date upstream.Day) int {
		if r.date != date {
			return int(r.date - date)
		}
		return strings.Compare(r.payer, payer)
	})
	if !found {
		e.open = slices.Insert(e.open, k, &remittance{date: date, payer: payer})
	}
	return k
}

// The claim status codes, CLP02.
const (
	processed    = "1" // as primary; says nothing of paid or denied
	deniedNarrow = "4" // no such patient here (X12 RFI 1423)
	reversal     = "22"
)

func status(c *upstream.Claim, off adjustment) string {
	if c.Outcome == upstream.Denied && (off.number == "27" || off.number == "31") {
		return deniedNarrow
	}
	return processed
}

// reverse takes back the payment written last.
func (e *ERAWriter) reverse(r *remittance, off, patient adjustment) {
	c := e.last
	c.Billed, c.Paid, c.Allowed = -c.Billed, -c.Paid, -c.Allowed
	off.amount, patient.amount = -off.amount, -patient.amount
	e.add(r, &c, reversal, off, patient)
}

// add renders a claim with its one service line.
func (e *ERAWriter) add(r *remittance, c *upstream.Claim, status string, off, patient adjustment) {
	s := segments{b: r.body}
	filing, ok := e.filing[c.Payer]
	if !ok {
		filing = "CI"
	}
	owed := patient.amount
	if off.group == "PR" {
		owed += off.amount
	}
	s.start("CLP").text(c.ClaimID).text(status).money(c.Billed).money(c.Paid)
	if owed != 0 {
		s.money(owed)
	} else {
		s.text("")
	}
	s.text(filing).text(c.PayerControlNumber).text(c.PlaceOfService).text("1").end()
	s.start("NM1").text("QC").text("1").text("PATIENT").text("SYNTHETIC").end()
	if c.ReceivedDate != 0 {
		s.start("DTM").text("050").date(&e.days, c.ReceivedDate).end()
	}
	s.start("SVC").text("HC").component(c.CPT)
	for m := range strings.FieldsSeq(c.Modifiers) {
		s.component(m)
	}
	s.money(c.Billed).money(c.Paid).text("").text(strconv.Itoa(c.Units)).end()
	s.start("DTM").text("472").date(&e.days, c.ServiceDate).end()
	for _, a := range [...]adjustment{off, patient} {
		if a.amount != 0 {
			s.start("CAS").text(a.group).text(a.number).money(a.amount).end()
		}
	}
	if c.Location != "" {
		s.start("REF").text("LU").text(c.Location).end()
	}
	if c.Allowed > 0 { // a reversal's is its payment and adjustments
		s.start("AMT").text("B6").money(c.Allowed).end()
	}
	for code := range strings.FieldsSeq(string(c.RARC)) {
		s.start("LQ").text("HE").text(code).end()
	}
	r.body, r.segments = s.b, r.segments+s.count
	r.claims++
	r.paid += c.Paid
}

// adjustment is one CAS triplet.
type adjustment struct {
	group, number string
	amount        upstream.Money
}

// adjustments splits what was billed and not paid by the claim's CARCs: all of
// it under the leading code of a denial; else the write-off and the patient's.
func adjustments(c *upstream.Claim) (off, patient adjustment) {
	for code := range strings.FieldsSeq(string(c.CARC)) {
		group, number, found := strings.Cut(code, "-")
		if !found {
			group, number = "CO", code
		}
		switch {
		case c.Outcome == upstream.Denied:
			if off.number == "" {
				off = adjustment{group, number, c.Billed - c.Paid}
			}
		case group == "PR":
			patient = adjustment{group, number, c.Allowed - c.Paid}
		default:
			off = adjustment{group, number, c.Billed - c.Allowed}
		}
	}
	return off, patient
}

// interest is what a payer owes for a first decision to pay that comes later
// than promptPayDays after receipt.
func interest(c *upstream.Claim) upstream.Money {
	late := c.PaymentDate - c.ReceivedDate - promptPayDays
	if c.ReceivedDate == 0 || late <= 0 || c.DecidedDate != c.FirstDecidedDate {
		return 0
	}
	return c.Paid * interestPercent * upstream.Money(late) / (100 * 365)
}

// write writes the k-th open remittance as one ST/SE transaction.
func (e *ERAWriter) write(k int) {
	r := e.open[k]
	e.open = slices.Delete(e.open, k, k+1)
	e.held -= len(r.body)
	e.envelope()
	e.sets++
	before := e.owed[r.payer]
	total := r.paid + r.interest - before
	e.owed[r.payer] = max(-total, 0) // nobody is paid less than nothing
	control := fmt.Sprintf("%04d", e.sets)
	payerID := strconv.FormatUint(1_000_000_000+uint64(idHash(r.payer))%900_000_000, 10)
	var s segments
	s.start("ST").text("835").text(control).end()
	s.start("BPR")
	if total > 0 {
		s.text("I").money(total).text("C").text("ACH").text("CCP").text("01").text("011000015").text("DA").text("1000001").
			text(payerID).text("").text("01").text("021000021").text("DA").text("2000002").date(&e.days, r.date).end()
	} else {
		s.text("H").money(0).text("C").text("NON")
		for range 11 {
			s.text("")
		}
		s.date(&e.days, r.date).end()
	}
	s.start("TRN").text("1").text(fmt.Sprintf("%s%06d", strings.ReplaceAll(r.date.String(), "-", ""), e.sets)).text(payerID).end()
	s.start("DTM").text("405").date(&e.days, r.date).end()
	s.start("N1").text("PR").text(r.payer).end()
	s.start("N3").text("1 SYNTHETIC WAY").end()
	s.start("N4").text("SPRINGFIELD").text("IL").text("62701").end()
	s.start("PER").text("BL").text("PROVIDER SERVICES").text("TE").text("8005550100").end()
	s.start("N1").text("PE").text("SYNTHETIC PRACTICE").text("XX").text(sampleNPI).end()
	s.start("LX").text("1").end()
	count := s.count + r.segments
	s.b = append(s.b, r.body...)
	s.count = 0
	yearEnd := strconv.Itoa(r.date.Time().Year()) + "1231"
	for _, a := range [...]adjustment{{number: "L6", amount: -r.interest}, {number: "FB", amount: before}, {number: "FB", amount: -e.owed[r.payer]}} {
		if a.amount != 0 {
			s.start("PLB").text(sampleNPI).text(yearEnd).text(a.number).money(a.amount).end()
		}
	}
	s.start("SE").text(strconv.Itoa(count + s.count + 1)).text(control).end()
	e.put(s.b)
}

// sampleNPI is the example of the NPI check digit's definition (45 CFR 162.406).
const sampleNPI = "1234567893"

// idHash numbers a payer by its name (FNV-1a).
func idHash(name string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

func (e *ERAWriter) put(b []byte) {
	if e.err == nil {
		e.err = writeAll(e.w, b)
	}
}

// envelope opens the interchange, once.
func (e *ERAWriter) envelope() {
	if e.begun {
		return
	}
	e.begun = true
	day := strings.ReplaceAll(e.created.String(), "-", "")
	var s segments
	// ISA has fixed widths: 106 characters with its terminator.
	s.start("ISA").text("00").text("          ").text("00").text("          ").
		text("ZZ").text("CLEARINGHOUSE  ").text("ZZ").text("SYNTHPRACTICE  ").
		text(day[2:]).text("0600").text("^").text("00501").text("000000001").text("0").text("T").text(":").end()
	s.start("GS").text("HP").text("CLEARINGHOUSE").text("SYNTHPRACTICE").text(day).text("0600").text("1").text("X").text("005010X221A1").end()
	e.put(s.b)
}

// Close writes the remittances kept back and ends the interchange. It does not
// close the underlying writer.
func (e *ERAWriter) Close() error {
	e.envelope()
	for len(e.open) > 0 {
		e.write(0)
	}
	var s segments
	s.start("GE").text(strconv.Itoa(e.sets)).text("1").end()
	s.start("IEA").text("1").text("000000001").end()
	e.put(s.b)
	return e.err
}
