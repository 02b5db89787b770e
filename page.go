package upstream

// MaxPageSize bounds what one call may list.
const MaxPageSize = 500

// MaxOffset bounds how many rows a page may be reached by passing over.
const MaxOffset = 10_000

// Key is a place in a list: what the list is ordered by, as a number (a day,
// microseconds, cents), and the id that breaks ties. Lists ordered by id alone
// have no Value. A zero ID is no place.
type Key struct{ Value, ID int64 }

// IsZero reports whether there is no place.
func (k Key) IsZero() bool { return k.ID == 0 }

// Page asks for one page of a list: that after a place or before one, so that a
// deep page costs what the first one does, or that beyond Offset rows. The zero
// Page is the first.
type Page struct {
	Size          int
	Offset        int
	After, Before Key
}

// Limit returns the size within its bounds; 50 when unset.
func (p Page) Limit() int {
	switch {
	case p.Size <= 0:
		return 50
	case p.Size > MaxPageSize:
		return MaxPageSize
	}
	return p.Size
}

// Back reports whether the page ends at a place instead of beginning there.
func (p Page) Back() bool { return !p.Before.IsZero() }

// Check returns what can't be done as asked.
func (p Page) Check() error {
	ways := 0
	for _, given := range []bool{p.Offset != 0, !p.After.IsZero(), !p.Before.IsZero()} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return Errorf(Invalid, "a page follows from one of a page number and a cursor, not from both")
	case p.Offset < 0 || p.Offset > MaxOffset:
		return Errorf(Invalid, "page numbers reach no further than %d rows; follow the cursor of the page before instead", MaxOffset)
	}
	return nil
}

// List is one page of a list.
type List[T any] struct {
	Items []T
	// Next is what the next page is After, Previous what the one before is Before;
	// zero where there is none. A filter that few rows pass may end a page that
	// has a Next before it is full.
	Next, Previous Key
	Count          Count
}

// Count is how many rows a whole list has: at least so many where it isn't exact.
type Count struct {
	N     int64
	Exact bool
}
