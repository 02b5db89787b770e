package synth

// procedureFacts is one billed code.
//
// weight: its share within its group (assumed).
//
// medicare: the 2025 Medicare fee schedule, non-facility, whole US, in cents.
// Those of 99213, 99214, 99215, 99203, 99204, 97110, 97140, 93000, 20610, 36415,
// 80053, 85025, 45378 and 66984 are from the schedule (±5 %), the others are of
// its order (assumed).
//
// units, modifiers, places: laws below, assumed.
type procedureFacts struct {
	code      string
	weight    float64
	medicare  int64
	units     []choice[int]
	modifiers []choice[string]
	places    []choice[string]
}

var (
	once  = []choice[int]{{1, 1}}
	timed = []choice[int]{{.25, 1}, {.50, 2}, {.20, 3}, {.05, 4}} // 15 minutes each
	doses = []choice[int]{{.40, 1}, {.30, 2}, {.20, 4}, {.10, 10}}

	plain    = []choice[string]{{1, ""}}
	visit    = []choice[string]{{.82, ""}, {.18, "25"}}
	therapy  = []choice[string]{{.90, "GP"}, {.10, "GP 59"}}
	distinct = []choice[string]{{.94, ""}, {.06, "59"}}
	sided    = []choice[string]{{.46, "RT"}, {.44, "LT"}, {.10, "50"}}
	waived   = []choice[string]{{.70, ""}, {.30, "QW"}}
	hearing  = []choice[string]{{.80, ""}, {.20, "95"}}
	rental   = []choice[string]{{.60, "NU"}, {.40, "RR"}}

	office    = []choice[string]{{1, "11"}}
	clinic    = []choice[string]{{.92, "11"}, {.08, "22"}}
	telehomed = []choice[string]{{.88, "11"}, {.12, "10"}}
	surgery   = []choice[string]{{.55, "24"}, {.45, "22"}}
	inpatient = []choice[string]{{1, "21"}}
	home      = []choice[string]{{1, "12"}}
)

// procedureTable lists the codes by procedure group, the most frequent group
// first. Groups are those of upstream.CPTGroup.
//
// Frequency of groups: office visits officeShare, of which 99213 and 99214 make
// 35 % of all lines; the others fall by Zipf's law with exponent zipfExponent
// over their rank. Assumed.
var procedureTable = [][]procedureFacts{
	{ // E/M office visits
		{"99213", .45, 8900, once, visit, telehomed},
		{"99214", .425, 12600, once, visit, telehomed},
		{"99203", .05, 10900, once, visit, office},
		{"99204", .04, 16300, once, visit, office},
		{"99215", .035, 17600, once, visit, telehomed},
	},
	{ // Physical therapy
		{"97110", .6, 2900, timed, therapy, office},
		{"97140", .4, 2700, timed, therapy, office},
	},
	{{"84443", .4, 1680, once, plain, office}, {"83036", .4, 971, once, waived, office}, {"82306", .2, 2960, once, plain, office}},    // Lab chemistry
	{{"80053", .7, 1060, once, plain, office}, {"80061", .3, 1339, once, waived, office}},                                             // Lab panels
	{{"71046", .4, 3100, once, plain, clinic}, {"73030", .3, 3300, once, sided, clinic}, {"73562", .3, 3700, once, sided, clinic}},    // X-ray
	{{"70553", .3, 34000, once, plain, clinic}, {"72148", .4, 20500, once, plain, clinic}, {"74177", .3, 31500, once, plain, clinic}}, // CT and MRI
	{{"85025", .8, 780, once, plain, office}, {"85610", .2, 429, once, waived, office}},                                               // Lab hematology
	{{"36415", 1, 900, once, plain, office}},                                                                                             // Venipuncture
	{{"93000", .85, 1500, once, plain, office}, {"93224", .15, 7900, once, plain, office}},                                               // ECG and monitoring
	{{"99396", .6, 13600, once, visit, office}, {"99395", .4, 12500, once, visit, office}},                                               // Preventive visits
	{{"20610", .8, 6400, once, sided, clinic}, {"20550", .2, 5500, once, sided, office}},                                                 // Joint injections
	{{"90471", .6, 2000, once, plain, office}, {"90686", .4, 2200, once, plain, office}},                                                 // Immunizations
	{{"90834", .5, 10400, once, hearing, telehomed}, {"90837", .5, 15400, once, hearing, telehomed}},                                     // Psychotherapy
	{{"76700", .5, 11800, once, plain, clinic}, {"76830", .5, 12000, once, plain, clinic}},                                               // Ultrasound
	{{"17000", .5, 6500, once, distinct, office}, {"11102", .5, 10000, once, distinct, office}},                                          // Skin procedures
	{{"93306", 1, 19200, once, plain, clinic}},                                                                                           // Echocardiography
	{{"J3301", .5, 170, doses, plain, office}, {"J1885", .5, 60, doses, plain, office}},                                                  // Drugs
	{{"77067", 1, 13000, once, plain, clinic}},                                                                                           // Mammography
	{{"81003", 1, 225, once, waived, office}},                                                                                            // Urinalysis
	{{"99232", .7, 7900, once, plain, inpatient}, {"99223", .3, 17300, once, plain, inpatient}},                                          // E/M hospital care
	{{"45378", .4, 33000, once, plain, surgery}, {"43239", .3, 37500, once, plain, surgery}, {"45385", .3, 44000, once, plain, surgery}}, // GI endoscopy
	{{"92014", .6, 12300, once, plain, office}, {"92134", .4, 3100, once, sided, office}},                                                // Ophthalmology
	{{"95117", .8, 1100, once, plain, office}, {"95004", .2, 390, doses, plain, office}},                                                 // Allergy
	{{"98941", 1, 3900, once, plain, office}},                                                                                            // Chiropractic
	{{"87086", .6, 807, once, plain, office}, {"87804", .4, 1655, once, waived, office}},                                                 // Lab microbiology
	{{"88305", 1, 7000, doses, plain, clinic}},                                                                                           // Pathology
	{{"96372", .7, 1400, once, distinct, office}, {"96365", .3, 6300, once, plain, office}},                                              // Infusions and injections
	{{"G0439", .7, 12700, once, plain, office}, {"G0008", .3, 2000, once, plain, office}},                                                // Medicare services
	{{"99490", 1, 6000, once, plain, office}},                                                                                            // Care management
	{{"94010", 1, 2600, once, plain, office}},                                                                                            // Pulmonary testing
	{{"93880", 1, 18500, once, plain, clinic}},                                                                                           // Vascular studies
	{{"66984", 1, 52000, once, sided, surgery}},                                                                                          // Eye surgery
	{{"95886", .5, 9000, once, plain, office}, {"95910", .5, 17000, once, plain, office}},                                                // Neurology testing
	{{"64483", 1, 24000, once, sided, surgery}},                                                                                          // Nerve blocks
	{{"96127", 1, 450, doses, plain, office}},                                                                                            // Behavioral assessment
	{{"80307", 1, 6200, once, plain, office}},                                                                                            // Drug testing
	{{"52000", 1, 21500, once, plain, clinic}},                                                                                           // Urology
	{{"E0601", 1, 8200, once, rental, home}},                                                                                             // Durable medical equipment
}

const (
	officeShare  = .40
	zipfExponent = 1.05

	// A chargemaster asks a multiple of the Medicare fee: median 2.5, quartiles
	// 1.8 and 3.6 (JAMA 2017 317:315); more than the best contract pays, and no
	// more than chargeMost (assumed).
	chargeMedian    = 2.5
	chargeSigma     = .514 // ln(3.6/1.8) / (2 · 0.6745)
	chargeOverRates = 1.05
	chargeMost      = 6.0

	// groupLogitSD is how far procedure groups stand apart at one payer (assumed).
	groupLogitSD = .35
	// codeRateSD is how far a contract leaves the fee schedule's proportions (assumed).
	codeRateSD = .05
)
