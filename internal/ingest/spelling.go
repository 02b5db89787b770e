package ingest

import (
	"strings"
	"unicode"

	"upstream"
)

// field is what a column of a claim file can hold.
type field uint8

const (
	claimID field = iota
	claimLine
	payer
	cpt
	modifiers
	units
	placeOfService
	location
	serviceDate
	submittedDate
	receivedDate
	decidedDate
	paymentDate
	outcome
	billed
	allowed
	paid
	carc
	rarc
	payerControlNumber
	filing
	numFields

	// ignored is a column that the customer's mapping says not to read.
	ignored
)

// ignoreName is what a header mapping writes for ignored.
const ignoreName = "ignore"

func (f field) String() string { return fieldTable[f].name }

// fieldTable gives each field its name, the longest text it may hold in bytes,
// whether that text is stored as it stands (and so must be no spreadsheet
// formula), and the headers files use for it.
//
// A header stands there as headerKey reduces it. Each entry of headers is a
// tier: where a file has columns of several tiers, the first one is read and
// the others are not, so that a "Claim Status" goes before a mere "Status".
var fieldTable = [numFields]struct {
	name    string
	limit   int
	stored  bool
	headers []string
}{
	claimID: {"claim_id", 64, true, []string{
		"claimid claimnumber claimno claimnum claimreference claimreferencenumber claimref providerclaimnumber providerclaimid patientcontrolnumber clm01 clp01",
		"claim", "invoicenumber invoiceno invoiceid",
	}},
	claimLine: {"line", 16, false, []string{
		"line lineno linenumber linenum lineitem lineitemnumber claimline claimlinenumber claimlineno serviceline servicelinenumber chargeline",
		"lineid sequence seq",
	}},
	payer: {"payer", 200, true, []string{
		"payer payername payor payorname primarypayer primarypayername claimpayer billedpayer",
		"insurance insurancename insurancecompany insurancecompanyname insurancecarrier insurer insurername carrier carriername primaryinsurance primaryinsurancename",
		"insuranceplan insuranceplanname healthplan plan planname",
	}},
	cpt: {"cpt", 32, true, []string{
		"cpt cptcode cpts cpthcpcs cpthcpcscode hcpcs hcpcscode hcpcscpt hcpcscptcode procedurecodecpt cptprocedurecode cptnumber",
		"procedurecode proccode procedure proc servicecode svccode",
		"code billingcode chargecode",
	}},
	modifiers: {"modifiers", 64, true, []string{
		"modifiers modifier mod mods modifiercode modifiercodes cptmodifier cptmodifiers procedurecodemodifier " +
			"mod1 mod2 mod3 mod4 modifier1 modifier2 modifier3 modifier4 modifiercode1 modifiercode2 modifiercode3 modifiercode4 cptmodifier1 cptmodifier2 cptmodifier3 cptmodifier4",
	}},
	units: {"units", 16, false, []string{
		"units unit numberunits serviceunits unitsofservice numberofunits unitcount billedunits unitsbilled",
		"quantity qty daysorunits",
	}},
	placeOfService: {"place_of_service", 64, true, []string{
		"placeofservice placeofservicecode pos poscode",
	}},
	location: {"location", 200, true, []string{
		"location locationname practicelocation", "facility facilityname servicefacility servicelocation",
		"site sitename clinic clinicname office officename", "practice practicename department departmentname",
	}},
	serviceDate: {"service_date", 40, false, []string{
		"servicedate dateofservice dos datesofservice svcdate",
		"servicedatefrom servicefromdate fromservicedate dateofservicefrom fromdateofservice dosfrom fromdos fromdate servicefrom servicestartdate servicestart",
		"visitdate encounterdate",
	}},
	submittedDate: {"submitted_date", 40, false, []string{
		"submitteddate submitdate datesubmitted submissiondate dateofsubmission claimsubmissiondate claimsubmitdate claimsubmitteddate submitted submittedon",
		"firstsubmitteddate firstsubmissiondate initialsubmissiondate originalsubmissiondate",
		"sentdate datesent claimsentdate dateclaimsent fileddate datefiled filingdate",
		"firstbilleddate firstbilldate datefirstbilled", "billeddate billdate datebilled billingdate", "claimdate dateofclaim",
	}},
	receivedDate: {"received_date", 40, false, []string{
		"receiveddate datereceived receiptdate dateofreceipt payerreceiveddate payerreceiptdate claimreceiveddate received",
	}},
	decidedDate: {"decided_date", 40, false, []string{
		"decideddate datedecided decisiondate dateofdecision decided decidedon",
		"adjudicationdate adjudicateddate dateadjudicated adjudicationdecisiondate determinationdate",
		"remitdate remittancedate remittanceadvicedate dateofremittance eradate eobdate remitteddate",
		"finalizeddate datefinalized processeddate dateprocessed processdate processingdate",
		"denialdate denieddate responsedate payerresponsedate", "posteddate postdate postingdate dateposted",
	}},
	paymentDate: {"payment_date", 40, false, []string{
		"paymentdate paiddate datepaid dateofpayment paydate payerpaiddate insurancepaiddate",
		"checkdate eftdate checkeftdate checkissuedate fundsdate",
	}},
	outcome: {"outcome", 40, false, []string{
		"outcome claimoutcome lineoutcome decision claimdecision determination claimdetermination",
		"claimstatus linestatus adjudicationstatus currentclaimstatus claimstate", "disposition status currentstatus result state",
	}},
	billed: {"billed", 40, false, []string{
		"billed billedamount billedamt amountbilled totalbilled billedcharge billedcharges",
		"charge charges chargeamount chargeamt chargedamount charged amountcharged linecharge linechargeamount submittedcharge submittedcharges",
		"totalcharge totalcharges totalchargeamount submittedamount grosscharge grosscharges fee feeamount",
	}},
	allowed: {"allowed", 40, false, []string{
		"allowed allowedamount allowedamt amountallowed allowable allowableamount insuranceallowed payerallowed payerallowedamount totalallowed",
		"approvedamount amountapproved",
	}},
	paid: {"paid", 40, false, []string{
		"payerpaid payerpaidamount insurancepaid insurancepaidamount insurancepayment insurancepayments inspaid inspayment inspayments",
		"paid paidamount paidamt amountpaid amtpaid", "payment payments paymentamount paymentamt netpaid totalpaid totalpayment totalpayments",
	}},
	carc: {"carc", 200, true, []string{
		"carc carcs carccode carccodes claimadjustmentreasoncode claimadjustmentreasoncodes",
		"denialcode denialcodes denialreasoncode denialreasoncodes adjustmentreasoncode adjustmentreasoncodes adjustmentcode adjustmentcodes adjreasoncode adjcode reasoncode reasoncodes",
		"denialreason denialreasons denial adjustmentreason adjreason reason",
	}},
	rarc: {"rarc", 200, true, []string{
		"rarc rarcs rarccode rarccodes remittanceadviceremarkcode remittanceadviceremarkcodes remittanceremarkcode remarkcode remarkcodes",
		"remark",
	}},
	payerControlNumber: {"payer_control_number", 64, true, []string{
		"payercontrolnumber payerclaimcontrolnumber payerclaimnumber payerclaimid payericn clp07",
		"icn dcn tcn internalcontrolnumber documentcontrolnumber claimcontrolnumber", "payerreferencenumber payerreference",
	}},
	filing: {"filing", 40, false, []string{
		"filing filingorder billingorder filingsequence claimfiling", "payersequence payerlevel insurancelevel insuranceorder insurancesequence coverageorder responsibilitysequence primarysecondary cob coborder",
	}},
}

// spelling is the field a header means, and its tier: 0 by the customer's own
// mapping, then as in fieldTable.
type spelling struct {
	field field
	tier  int
}

var spellings = func() map[string]spelling {
	m := map[string]spelling{}
	for f, row := range fieldTable {
		for tier, headers := range row.headers {
			for h := range strings.FieldsSeq(headers) {
				m[h] = spelling{field(f), tier + 1}
			}
		}
	}
	return m
}()

// headerKey reduces a header to what spellings compare: lower case, letters and
// digits only, with the two signs that stand for words written out.
func headerKey(header string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(header) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case r == '#':
			b.WriteString("number")
		case r == '$':
			b.WriteString("amount")
		}
	}
	return b.String()
}

// fieldNamed returns the field a header mapping names.
func fieldNamed(name string) (field, error) {
	key := headerKey(name)
	if key == ignoreName {
		return ignored, nil
	}
	var names []string
	for f := range numFields {
		if key == headerKey(f.String()) {
			return f, nil
		}
		names = append(names, f.String())
	}
	return 0, upstream.Errorf(upstream.Invalid,
		"the header mapping names the unknown field %q; the fields are %s, and %s for a column not to read",
		shorten(name), strings.Join(names, ", "), ignoreName)
}
