package upstream

import "strings"

// PayerKey reduces the spelling of a payer's name to what the mapping compares:
// upper case, letters and digits only, words separated by one space, without
// the legal forms at its end.
func PayerKey(raw string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToUpper(raw) {
		switch {
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		case r == '\'' || r == '.': // "Children's", "Inc."
		default:
			gap = true
		}
	}
	key := b.String()
	for _, form := range []string{" INC", " LLC", " CORP", " CO", " LTD"} {
		key = strings.TrimSuffix(key, form)
	}
	return key
}

// PayerName returns the one name of a payer that files write in many spellings,
// and whether the table that ships knows it. An unknown spelling names a payer
// of its own, trimmed; a customer's own payer mapping comes before this table.
func PayerName(raw string) (name string, known bool) {
	if name, known = payerNames[PayerKey(raw)]; known {
		return name, true
	}
	return strings.Join(strings.Fields(raw), " "), false
}

// payerNames maps keys to names. It holds only spellings that mean one payer;
// plans that pay by rules of their own (Medicare Advantage, Medicaid managed
// care) stay apart from their parent company.
var payerNames = func() map[string]string {
	m := map[string]string{}
	for name, spellings := range map[string]string{
		"Aetna":                     "AETNA US HEALTHCARE|AETNA HEALTH|AETNA LIFE INSURANCE|AETNA LIFE INSURANCE COMPANY|AETNA LIFE AND CASUALTY|AETNA INSURANCE|AETNA HMO|AETNA PPO|AETNA COMMERCIAL|AETNA US HEALTH CARE",
		"Anthem":                    "ANTHEM BLUE CROSS|ANTHEM BCBS|ANTHEM BLUE CROSS BLUE SHIELD|ELEVANCE|ELEVANCE HEALTH|ANTHEM BLUE CROSS AND BLUE SHIELD",
		"Blue Cross Blue Shield":    "BCBS|BLUE CROSS|BLUE SHIELD|BLUE CROSS AND BLUE SHIELD|BC BS|BLUECROSS BLUESHIELD|BLUE CROSS BS",
		"Centene":                   "CENTENE CORPORATION",
		"Cigna":                     "CIGNA HEALTHCARE|CIGNA HEALTH CARE|CIGNA HEALTH|CIGNA PPO|CIGNA HMO|CIGNA HEALTH AND LIFE|CIGNA HEALTH AND LIFE INSURANCE COMPANY",
		"HCSC":                      "HEALTH CARE SERVICE CORPORATION|HEALTH CARE SERVICE",
		"Humana":                    "HUMANA HEALTH|HUMANA HEALTH PLAN|HUMANA INSURANCE|HUMANA INSURANCE COMPANY",
		"Humana Medicare Advantage": "HUMANA MEDICARE|HUMANA MA|HUMANA GOLD PLUS",
		"Kaiser Permanente":         "KAISER|KAISER FOUNDATION|KAISER FOUNDATION HEALTH PLAN",
		"Medicare":                  "MEDICARE PART B|MEDICARE B|MCARE|CMS MEDICARE|MEDICARE PART A|ORIGINAL MEDICARE|MEDICARE FFS",
		"Medicaid":                  "STATE MEDICAID|MEDICAID FFS",
		"Regence":                   "REGENCE BLUESHIELD|REGENCE BLUE SHIELD|REGENCE BCBS",
		"Tricare":                   "TRICARE EAST|TRICARE WEST",
		"UnitedHealthcare":          "UHC|UNITED HEALTHCARE|UNITED HEALTH CARE|UNITEDHEALTH|UNITED HEALTH|UNITEDHEALTH GROUP|UNITED|UHC COMMERCIAL|UNITED HEALTHCARE INSURANCE COMPANY|UNITEDHEALTHCARE INSURANCE COMPANY",
		"UHC Medicare Advantage":    "UHC MEDICARE|UNITED HEALTHCARE MEDICARE|UNITEDHEALTHCARE MEDICARE ADVANTAGE|AARP MEDICARE COMPLETE|AARP MEDICARE ADVANTAGE",
		"Aetna Medicare Advantage":  "AETNA MEDICARE|AETNA MA",
		"Molina Healthcare":         "MOLINA",
		"Oscar Health":              "OSCAR",
		"Veterans Affairs":          "VA|VETERANS ADMINISTRATION|DEPARTMENT OF VETERANS AFFAIRS",
		"Workers' Compensation":     "WORKERS COMP|WORKMANS COMP",
		"Medicaid Managed Care":     "MEDICAID HMO|MEDICAID MCO",
	} {
		m[PayerKey(name)] = name
		for s := range strings.SplitSeq(spellings, "|") {
			if s != "" {
				m[s] = name
			}
		}
	}
	return m
}()
