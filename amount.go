package upstream

// Amounts are what first decisions allowed per unit, by what a contract sets a
// rate for, in whole weeks: those over by the as-of date.
type Amounts struct {
	First  Day         // Monday of the first week
	Weeks  int         // number of weeks
	Keys   []AmountKey // sorted by payer, CPT, modifiers, place, location
	Groups CPTGroups   // that the codes are in; nil where the table that ships has them all
}

// AmountKey is what a contract sets one rate for, with all that was allowed.
type AmountKey struct {
	Payer, CPT, Modifiers, Place, Location string
	Atoms                                  []Atom // sorted by cents, then week
}

// Atom counts the units' price of paid lines: amounts pile up on few of them,
// because payers pay from a table.
type Atom struct {
	Cents Money // allowed per unit, rounded to the nearest cent
	Week  int32 // of the first decision, counted from the first one
	Lines int32
}

// Dimension is what may explain a change of the denial rate.
type Dimension int

// The dimensions of a denial. The group is one for events of whole payers.
const (
	ByGroup Dimension = iota
	ByCARC            // the leading code, without its group code
	ByRARC            // the leading remark
	ByLocation
	ByCPT
	ByModifiers
	ByPlace
	Dimensions
)

// String is the dimension's name in root causes.
func (d Dimension) String() string {
	return [...]string{"cpt_group", "carc", "rarc", "location", "cpt", "modifier", "place_of_service"}[d]
}

// Denials are the first denials of one payer's primary claims, by all that may
// explain them.
type Denials struct {
	Values [Dimensions][]string // what the cells' numbers stand for; "" for none
	Cells  []DenialCell         // by day, those of a day in no order
}

// DenialCell counts the denials of one day that are alike in every dimension.
type DenialCell struct {
	Day   Day
	Value [Dimensions]int32 // indexes of Denials.Values
	Count int32
}
