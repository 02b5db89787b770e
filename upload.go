package upstream

import "time"

// UploadStatus is the state of an upload.
type UploadStatus string

// The states of an upload. A running one that no process works on was cut off;
// loading the same bytes again continues it.
const (
	UploadQueued  UploadStatus = "queued" // its bytes are there, a job will load them
	UploadRunning UploadStatus = "running"
	UploadSuccess UploadStatus = "success"
	UploadFailed  UploadStatus = "failed"
)

// Upload is one file of a customer, identified by its bytes.
type Upload struct {
	ID       int64        `json:"id"`
	Filename string       `json:"filename"`
	SHA256   string       `json:"sha256"`
	Status   UploadStatus `json:"status"`
	// FileDate orders two states of a claim that were decided on one day.
	FileDate Day `json:"file_date"`
	Tally
	DateMin   Day       `json:"date_min"` // of submitted dates
	DateMax   Day       `json:"date_max"`
	Error     string    `json:"error,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Tally counts what became of a file's rows: Read = Inserted + Updated +
// Unchanged + Rejected.
type Tally struct {
	Read      int64 `json:"read"`
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Rejected  int64 `json:"rejected"`
}

// Add adds another tally.
func (t *Tally) Add(o Tally) {
	t.Read += o.Read
	t.Inserted += o.Inserted
	t.Updated += o.Updated
	t.Unchanged += o.Unchanged
	t.Rejected += o.Rejected
}

// Reject is a row that could not be used, located and explained without its content.
type Reject struct {
	Row        int64  `json:"row"`         // 1 is the first row after the header
	Column     string `json:"column"`      // as the file names it; "" for the row as a whole
	ValueClass string `json:"value_class"` // what stood there: empty, text, number, date, formula, …
	Reason     string `json:"reason"`
}
