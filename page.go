package upstream

// MaxPageSize bounds what one call may list.
const MaxPageSize = 500

// Page asks for one page of a list by key, never by offset: After is the
// last key of the page before, "" for the first page.
type Page struct {
	Size  int
	After string
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
