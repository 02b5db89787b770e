package load

import (
	"context"
	"fmt"
	"time"
)

// masterEvent is one of: a new connection, a message, the end of a connection or of an
// attempt to make one.
type masterEvent struct {
	up      *dealer
	message []byte
	err     error
}

// keepConnected makes connections to the master, one after another.
func (w *LocustWorker) keepConnected(ctx context.Context) {
	defer close(w.events)
	for ctx.Err() == nil {
		w.emit(ctx, masterEvent{err: w.connection(ctx)})
		select {
		case <-time.After(redialInterval):
		case <-ctx.Done():
		}
	}
}

func (w *LocustWorker) emit(ctx context.Context, e masterEvent) {
	select {
	case w.events <- e:
	case <-ctx.Done():
	}
}

func (w *LocustWorker) connection(ctx context.Context) error {
	conn, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	d, err := newDealer(conn, w.ID)
	if err != nil {
		return err
	}
	w.emit(ctx, masterEvent{up: d})
	for {
		message, err := d.receive()
		if err != nil {
			return err
		}
		w.emit(ctx, masterEvent{message: message})
	}
}

// report tells what was counted since the last report.
func (w *LocustWorker) report() {
	if !w.flush() {
		return
	}
	d := w.Fleet.Delta()
	if d.Total.NumRequests == 0 && len(d.Exceptions) == 0 && !w.absent.IsZero() {
		return // a master that does not know us has no use for our users' number
	}
	for _, e := range d.Exceptions {
		w.unsent = append(w.unsent, encodeMessage("exception", e, w.ID))
	}
	if d.More > 0 {
		more := DeltaException{fmt.Sprintf("%d more exceptions", d.More), otherNames}
		w.unsent = append(w.unsent, encodeMessage("exception", more, w.ID))
	}
	w.unsent = append(w.unsent, encodeMessage("stats", d.stats(w.Fleet.Users()), w.ID))
	w.owed = d.Total.NumRequests
	w.flush()
}

// flush sends what is unsent; false when some is left, or a report would be.
func (w *LocustWorker) flush() bool {
	if w.conn == nil || !w.deaf.IsZero() && time.Now().After(w.deaf) {
		return false
	}
	for len(w.unsent) > 0 {
		if !w.send(w.unsent[0]) {
			return false
		}
		w.unsent = w.unsent[1:]
	}
	w.owed = 0
	return true
}

// tell sends what is of no use later.
func (w *LocustWorker) tell(kind string, data any) {
	if w.conn != nil {
		w.send(encodeMessage(kind, data, w.ID))
	}
}

func (w *LocustWorker) send(message []byte) bool {
	err := w.conn.send(message)
	if err != nil {
		w.lose(err)
	}
	return err == nil
}

// lose gives a connection up, or notes that none could be made.
func (w *LocustWorker) lose(err error) {
	if w.problem = err; w.conn != nil {
		w.conn.conn.Close()
		w.conn = nil
	}
	if w.absent.IsZero() {
		w.absent = time.Now()
		if w.state != workerReady {
			w.until = w.absent.Add(strandedTimeout)
		}
	}
	if !w.complained {
		w.complained = true
		w.Log.Warn("no connection to the master: trying again", "master", w.Master, "error", err)
	}
}
