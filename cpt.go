package upstream

import (
	"slices"
	"strings"
)

// OtherGroup holds every procedure code that no range names.
const OtherGroup = "Other"

// IsProcedureCode reports whether s has the form of a CPT or HCPCS code: five
// digits, four digits and one of F, M, T, U (CPT II, III, PLA), or a letter and
// four digits (HCPCS II).
func IsProcedureCode(s string) bool {
	if len(s) != 5 {
		return false
	}
	for i := 1; i < 4; i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	first, last := s[0], s[4]
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	switch {
	case digit(first):
		return digit(last) || last == 'F' || last == 'M' || last == 'T' || last == 'U'
	case first >= 'A' && first <= 'V':
		return digit(last)
	}
	return false
}

// CPTGroup returns the procedure family of a CPT or HCPCS code by the table
// that ships; a customer's own mapping comes before it. Families follow the
// sections of the CPT code set, split where payers run separate policies.
func CPTGroup(code string) string {
	if !IsProcedureCode(code) {
		return OtherGroup
	}
	if c := code[0]; c >= 'A' && c <= 'V' {
		if g, ok := hcpcsGroups[c]; ok {
			return g
		}
		return OtherGroup
	}
	if last := code[4]; last < '0' || last > '9' {
		return OtherGroup
	}
	i, found := slices.BinarySearchFunc(cptRanges, code, func(r cptRange, code string) int {
		return strings.Compare(r.first, code)
	})
	if !found {
		i--
	}
	if i < 0 || code > cptRanges[i].last {
		return OtherGroup
	}
	return cptRanges[i].group
}

type cptRange struct{ first, last, group string }

// cptRanges is sorted and has no overlaps; a test holds both.
var cptRanges = []cptRange{
	{"00100", "01999", "Anesthesia"},
	{"10004", "18999", "Skin procedures"},
	{"19000", "19499", "Breast procedures"},
	{"20005", "20525", "Musculoskeletal surgery"},
	{"20526", "20611", "Joint injections"},
	{"20612", "21999", "Musculoskeletal surgery"},
	{"22010", "22899", "Spine surgery"},
	{"22900", "28999", "Musculoskeletal surgery"},
	{"29000", "29799", "Casts and splints"},
	{"29800", "29999", "Arthroscopy"},
	{"30000", "32999", "Respiratory procedures"},
	{"33016", "36299", "Cardiovascular surgery"},
	{"36300", "36425", "Venipuncture"},
	{"36430", "37799", "Cardiovascular surgery"},
	{"38100", "42999", "Digestive surgery"},
	{"43000", "43299", "GI endoscopy"},
	{"43300", "44359", "Digestive surgery"},
	{"44360", "45399", "GI endoscopy"},
	{"45400", "49999", "Digestive surgery"},
	{"50010", "55899", "Urology"},
	{"55920", "59899", "Gynecology and maternity"},
	{"60000", "64399", "Neurosurgery"},
	{"64400", "64530", "Nerve blocks"},
	{"64531", "64999", "Neurosurgery"},
	{"65091", "68899", "Eye surgery"},
	{"69000", "69990", "Ear procedures"},
	{"70010", "70449", "X-ray"},
	{"70450", "70559", "CT and MRI"},
	{"71045", "71130", "X-ray"},
	{"71250", "71555", "CT and MRI"},
	{"72020", "72120", "X-ray"},
	{"72125", "72159", "CT and MRI"},
	{"72170", "72190", "X-ray"},
	{"72191", "72198", "CT and MRI"},
	{"72200", "73140", "X-ray"},
	{"73200", "73225", "CT and MRI"},
	{"73501", "73660", "X-ray"},
	{"73700", "73725", "CT and MRI"},
	{"74018", "74022", "X-ray"},
	{"74150", "74185", "CT and MRI"},
	{"74190", "75556", "X-ray"},
	{"75557", "75574", "CT and MRI"},
	{"75600", "76499", "X-ray"},
	{"76506", "76999", "Ultrasound"},
	{"77001", "77022", "X-ray"},
	{"77046", "77067", "Mammography"},
	{"77071", "77092", "X-ray"},
	{"77261", "77799", "Radiation oncology"},
	{"78012", "79999", "Nuclear medicine"},
	{"80047", "80081", "Lab panels"},
	{"80143", "80377", "Drug testing"},
	{"81000", "81099", "Urinalysis"},
	{"81105", "81599", "Molecular pathology"},
	{"82009", "84999", "Lab chemistry"},
	{"85002", "85999", "Lab hematology"},
	{"86000", "86999", "Lab immunology"},
	{"87003", "87999", "Lab microbiology"},
	{"88000", "89398", "Pathology"},
	{"90281", "90759", "Immunizations"},
	{"90785", "90899", "Psychotherapy"},
	{"90901", "90913", "Biofeedback"},
	{"90935", "90999", "Dialysis"},
	{"91010", "91299", "GI testing"},
	{"92002", "92499", "Ophthalmology"},
	{"92502", "92700", "ENT and audiology"},
	{"92920", "92998", "Cardiac catheterization"},
	{"93000", "93278", "ECG and monitoring"},
	{"93279", "93299", "Cardiac devices"},
	{"93303", "93356", "Echocardiography"},
	{"93451", "93799", "Cardiac catheterization"},
	{"93880", "93998", "Vascular studies"},
	{"94002", "94799", "Pulmonary testing"},
	{"95004", "95199", "Allergy"},
	{"95249", "95251", "Glucose monitoring"},
	{"95700", "96020", "Neurology testing"},
	{"96105", "96171", "Behavioral assessment"},
	{"96360", "96379", "Infusions and injections"},
	{"96401", "96549", "Chemotherapy"},
	{"96567", "96999", "Dermatology"},
	{"97010", "97799", "Physical therapy"},
	{"97802", "97804", "Nutrition therapy"},
	{"97810", "97814", "Acupuncture"},
	{"98925", "98929", "Osteopathic manipulation"},
	{"98940", "98943", "Chiropractic"},
	{"98960", "98981", "Telehealth and remote care"},
	{"99091", "99091", "Telehealth and remote care"},
	{"99151", "99157", "Anesthesia"},
	{"99202", "99215", "E/M office visits"},
	{"99217", "99239", "E/M hospital care"},
	{"99241", "99255", "Consultations"},
	{"99281", "99288", "Emergency visits"},
	{"99291", "99292", "Critical care"},
	{"99304", "99350", "Nursing facility and home"},
	{"99381", "99429", "Preventive visits"},
	{"99437", "99498", "Care management"},
}

var hcpcsGroups = map[byte]string{
	'A': "Ambulance and supplies",
	'B': "Enteral therapy",
	'D': "Dental",
	'E': "Durable medical equipment",
	'G': "Medicare services",
	'H': "Behavioral health services",
	'J': "Drugs",
	'K': "Durable medical equipment",
	'L': "Orthotics and prosthetics",
	'Q': "Drugs",
	'V': "Vision and hearing",
}
