package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/klauspost/compress/gzip"
	"upstream"
	"upstream/internal/jobs"
)

type uploadsInput struct {
	OfCustomer
	Paging
}

func (s *Server) listUploads(ctx context.Context, in *uploadsInput) (*listOutput[upstream.Upload], error) {
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.Upload], error) {
		return of(ctx).tenant.Uploads(ctx, page)
	})
}

type uploadOutput struct{ Body upstream.Upload }

var errNoUpload = upstream.Errorf(upstream.NotFound, "there is no such upload")

func (s *Server) getUpload(ctx context.Context, in *OfCustomerAndID) (*uploadOutput, error) {
	u, err := of(ctx).tenant.UploadByID(ctx, in.ID)
	if upstream.ErrorCode(err) == upstream.NotFound {
		err = errNoUpload
	}
	return &uploadOutput{u}, err
}

type rejectsInput struct {
	OfCustomerAndID
	Paging
}

func (s *Server) listRejects(ctx context.Context, in *rejectsInput) (*listOutput[upstream.Reject], error) {
	t := of(ctx).tenant
	if _, err := s.getUpload(ctx, &in.OfCustomerAndID); err != nil {
		return nil, err
	}
	return found(ctx, &in.Paging, func(page upstream.Page) (upstream.List[upstream.Reject], error) {
		return t.Rejects(ctx, in.ID, page)
	})
}

type createUploadInput struct {
	OfCustomer
	Filename string `query:"filename" maxLength:"200" doc:"The file's name, where the body is the file itself."`
	FileDate day    `query:"file_date" doc:"The file's date, which decides between two states of a claim decided on one day; today if not given."`

	request *http.Request
}

// Resolve keeps the request, whose body is read as a stream.
func (in *createUploadInput) Resolve(ctx huma.Context) []error {
	in.request, _ = humago.Unwrap(ctx)
	return nil
}

// documentUpload says what the body is, which no type does.
func documentUpload(op *huma.Operation) {
	plain := &huma.Schema{Type: huma.TypeString}
	file := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv":            {Schema: plain, Example: "claim_id,payer,cpt,status,submitted_date,decided_date,allowed,denial_code\nC-1001,Aetna,97110,paid,2026-03-02,2026-03-09,112.40,\nC-1002,Aetna,97110,denied,2026-03-02,2026-03-11,,CO-197\n"},
		"multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"file": file}, Required: []string{"file"}}},
	}}
	op.Description = "A CSV file with a header row, as the body itself or as the field file of a form; gzip with Content-Encoding. " +
		"It is loaded in the background: ask the upload how far it is. Sending the same bytes again changes nothing and answers with the same upload."
}

type createdUploadOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     upstream.Upload
}

// A customer may send so many files at once, each for so long.
const uploadsAtOnce, uploadTime = 8, 2 * time.Hour

// receiving counts the files that are being sent, by customer.
type receiving struct {
	mu sync.Mutex
	by map[int64]int
}

// begin reports whether one more may be sent; end is for when it was.
func (k *receiving) begin(customer int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil {
		k.by = map[int64]int{}
	}
	if k.by[customer] >= uploadsAtOnce {
		return false
	}
	k.by[customer]++
	return true
}

func (k *receiving) end(customer int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by[customer]--; k.by[customer] == 0 {
		delete(k.by, customer)
	}
}

func (s *Server) createUpload(ctx context.Context, in *createUploadInput) (*createdUploadOutput, error) {
	c := of(ctx)
	if !s.receiving.begin(c.customer) {
		return nil, &Problem{
			Status: http.StatusTooManyRequests, Code: "too_many_requests", retryAfter: 10 * time.Second,
			Detail: "so many files are being sent already; send this one when one of them is done",
		}
	}
	defer s.receiving.end(c.customer)
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	body, name, err := s.file(c, in.request)
	if err != nil {
		return nil, err
	}
	if in.Filename != "" {
		name = in.Filename
	}
	fileDate := in.FileDate.Day
	if fileDate == 0 {
		fileDate = upstream.DayOf(c.started)
	}
	u, created, err := jobs.Receive(ctx, c.tenant, filepath.Base(name), body, jobs.ReceiveOptions{MaxBytes: s.MaxUpload, FileDate: fileDate, Now: s.Now})
	if errors.Is(err, jobs.ErrTooLarge) {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "the file is larger than " + itoa(s.MaxUpload) + " bytes; split it by rows, with the header row in each part"}
	}
	if err != nil {
		return nil, uploadProblem(err)
	}
	if created {
		err = s.Jobs.EnqueueUpload(ctx, c.customer, u.ID)
		c.later(ctx, err)
	}
	out := &createdUploadOutput{Status: http.StatusAccepted, Location: Prefix + "uploads/" + itoa(u.ID) + "/", Body: u}
	if u.Status == upstream.UploadSuccess {
		out.Status = http.StatusOK // there is nothing left to do
	}
	return out, nil
}

// uploadProblem tells a body that broke off from a file that is no good.
func uploadProblem(err error) error {
	var tooSlow interface{ Timeout() bool }
	switch {
	case upstream.ErrorCode(err) == upstream.Unavailable:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled), errors.Is(err, multipart.ErrMessageTooLarge):
		return bodyProblem(err)
	case errors.As(err, &tooSlow) && tooSlow.Timeout():
		return &Problem{Status: http.StatusRequestTimeout, Code: "timeout", Detail: "nothing came for half a minute; send the file again"}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return invalids{{"body", "is not the gzip that Content-Encoding says"}}
	}
	return err
}

// file returns the bytes of the file in a request, as a stream, and its name.
func (s *Server) file(c *call, r *http.Request) (body io.Reader, name string, err error) {
	body = &patient{r.Body, c.control}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		if body, err = gzip.NewReader(body); err != nil {
			return nil, "", invalids{{"body", "is not the gzip that Content-Encoding says"}}
		}
	default:
		return nil, "", unsupported("send the file as it is, or with Content-Encoding: gzip")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "multipart/form-data" && params["boundary"] != "":
		return formFile(multipart.NewReader(body, params["boundary"]))
	case err == nil && (kind == "text/csv" || kind == "application/csv" || kind == "application/octet-stream"):
		return body, "upload.csv", nil
	}
	return nil, "", unsupported("send the file as text/csv, or in the field file of multipart/form-data")
}

// formFile finds the field file, which must be the only one: the file is read as
// it comes, so that nothing can be known of what follows.
func formFile(form *multipart.Reader) (io.Reader, string, error) {
	part, err := form.NextPart()
	if errors.Is(err, io.EOF) {
		return nil, "", invalids{{"body.file", "is missing"}}
	}
	if err != nil {
		return nil, "", bodyProblem(err)
	}
	if part.FormName() != "file" {
		return nil, "", invalids{{"body", "has a field that is not file; the file's date and name go into the query"}}
	}
	return &onlyPart{part: part, form: form}, part.FileName(), nil
}

// onlyPart reads a part to its end and then makes sure that the form ends there.
type onlyPart struct {
	part *multipart.Part
	form *multipart.Reader
}

func (p *onlyPart) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	switch _, err := p.form.NextPart(); {
	case err == nil:
		return n, upstream.Errorf(upstream.Invalid, "the form has more fields than file; send one file at a time")
	case errors.Is(err, io.EOF):
		return n, io.EOF
	default:
		return n, io.ErrUnexpectedEOF
	}
}

// patience is how long a client may send nothing.
const patience = 30 * time.Second

// patient gives up a body of which nothing comes for too long, however large it is.
type patient struct {
	io.Reader
	control *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	deadline := time.Now().Add(patience) // of the connection, which knows no other clock
	_ = p.control.SetReadDeadline(deadline)
	_ = p.control.SetWriteDeadline(deadline.Add(patience))
	return p.Reader.Read(b)
}
