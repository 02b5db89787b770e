package store

import (
	"context"
	"strings"

	"upstream"
)

// mappingTable is one of the two lists of mappings. The first of its texts is
// unique in a customer.
type mappingTable[M any] struct {
	name    string
	columns []string
	of      func(*M) (id *int64, texts []*string)
}

var payerMappings = mappingTable[upstream.PayerMapping]{
	"payer_mapping",
	[]string{"raw_key", "raw_name", "payer"},
	func(m *upstream.PayerMapping) (*int64, []*string) { return &m.ID, []*string{&m.Key, &m.Raw, &m.Payer} },
}

var cptMappings = mappingTable[upstream.CPTMapping]{
	"cpt_mapping",
	[]string{"code", "cpt_group"},
	func(m *upstream.CPTMapping) (*int64, []*string) { return &m.ID, []*string{&m.Code, &m.CPTGroup} },
}

// PayerMappings lists the customer's payer mappings by id, one page at a time.
func (t *Tenant) PayerMappings(ctx context.Context, page upstream.Page) (upstream.List[upstream.PayerMapping], error) {
	return payerMappings.list(ctx, t, page)
}

// PayerMapping returns a payer mapping, or NotFound.
func (t *Tenant) PayerMapping(ctx context.Context, id int64) (upstream.PayerMapping, error) {
	return payerMappings.find(ctx, t, "id", id)
}

// PayerMappingOf returns the mapping of a spelling, or NotFound. Spellings with
// one upstream.PayerKey are one.
func (t *Tenant) PayerMappingOf(ctx context.Context, raw string) (upstream.PayerMapping, error) {
	return payerMappings.find(ctx, t, "raw_key", upstream.PayerKey(raw))
}

// CreatePayerMapping makes a mapping and returns it as it is stored: a payer that
// is named by a spelling of the table that ships gets the table's name, unless the
// mapping is of that very spelling or the customer has one of it. A spelling that
// is mapped already is a Conflict; mappings that lead from one to the other and
// back are Invalid.
//
// It acts on claims that are loaded from then on, and by ApplyMappings on those
// that are there.
func (t *Tenant) CreatePayerMapping(ctx context.Context, m upstream.PayerMapping) (upstream.PayerMapping, error) {
	m.ID = 0
	err := t.putPayerMapping(ctx, &m, payerMappings.insert)
	return m, err
}

// ChangePayerMapping replaces the mapping that has m's id, like CreatePayerMapping.
func (t *Tenant) ChangePayerMapping(ctx context.Context, m upstream.PayerMapping) (upstream.PayerMapping, error) {
	err := t.putPayerMapping(ctx, &m, payerMappings.update)
	return m, err
}

func (t *Tenant) putPayerMapping(ctx context.Context, m *upstream.PayerMapping, put func(tx, int64, *upstream.PayerMapping) error) error {
	if err := m.Normalize(); err != nil {
		return err
	}
	return t.s.write(ctx, t.id, func(x tx) error {
		own, err := t.payerNames(x)
		if err != nil {
			return err
		}
		m.Payer = tableName(own, m)
		if err := put(x, t.id, m); err != nil {
			return err
		}
		nameAuditTarget(ctx, m.ID)
		if own, err = t.payerNames(x); err != nil {
			return err
		}
		if _, ok := own.Resolve(m.Raw); !ok {
			return upstream.Errorf(upstream.Invalid, "that payer is itself mapped, in the end back to this spelling; change the other mapping first; it is in the list of payer mappings")
		}
		return nil
	})
}

// tableName is the payer of a mapping in the spelling of the table that ships, where
// that is meant: the mapping is not about the table's own name or spelling.
func tableName(own upstream.PayerNames, m *upstream.PayerMapping) string {
	target := upstream.PayerKey(m.Payer)
	name, _ := upstream.PayerName(m.Payer)
	if _, mapped := own[target]; mapped || target == m.Key || upstream.PayerKey(name) == m.Key {
		return m.Payer
	}
	return name
}

// DeletePayerMapping removes a mapping, or is NotFound. Later loads name the payer
// without it; claims that have the mapped name keep it, also through
// ApplyMappings, because the spelling of the file is not stored with them.
func (t *Tenant) DeletePayerMapping(ctx context.Context, id int64) error {
	return payerMappings.remove(ctx, t, id)
}

// CPTMappings lists the customer's procedure groups by id, one page at a time.
func (t *Tenant) CPTMappings(ctx context.Context, page upstream.Page) (upstream.List[upstream.CPTMapping], error) {
	return cptMappings.list(ctx, t, page)
}

// CPTMapping returns the mapping of a code by its id, or NotFound.
func (t *Tenant) CPTMapping(ctx context.Context, id int64) (upstream.CPTMapping, error) {
	return cptMappings.find(ctx, t, "id", id)
}

// CPTMappingOf returns the mapping of a code, or NotFound.
func (t *Tenant) CPTMappingOf(ctx context.Context, code string) (upstream.CPTMapping, error) {
	return cptMappings.find(ctx, t, "code", strings.ToUpper(strings.TrimSpace(code)))
}

// CreateCPTMapping makes a mapping and returns it as it is stored. A code that is
// mapped already is a Conflict. It acts with the next load or ApplyMappings, on
// all claims of the code: a code is in one group at a time.
func (t *Tenant) CreateCPTMapping(ctx context.Context, m upstream.CPTMapping) (upstream.CPTMapping, error) {
	m.ID = 0
	err := t.putCPTMapping(ctx, &m, cptMappings.insert)
	return m, err
}

// ChangeCPTMapping replaces the mapping that has m's id, like CreateCPTMapping.
func (t *Tenant) ChangeCPTMapping(ctx context.Context, m upstream.CPTMapping) (upstream.CPTMapping, error) {
	err := t.putCPTMapping(ctx, &m, cptMappings.update)
	return m, err
}

func (t *Tenant) putCPTMapping(ctx context.Context, m *upstream.CPTMapping, put func(tx, int64, *upstream.CPTMapping) error) error {
	if err := m.Normalize(); err != nil {
		return err
	}
	return t.s.write(ctx, t.id, func(x tx) error {
		err := put(x, t.id, m)
		nameAuditTarget(ctx, m.ID)
		return err
	})
}

// DeleteCPTMapping removes a mapping, or is NotFound. With the next load or
// ApplyMappings the code is in the group of the table that ships again.
func (t *Tenant) DeleteCPTMapping(ctx context.Context, id int64) error {
	return cptMappings.remove(ctx, t, id)
}

// PayerName returns the name under which a load would store claims of a payer.
func (t *Tenant) PayerName(ctx context.Context, raw string) (name string, err error) {
	err = t.s.read(ctx, func(x tx) error {
		own, err := t.payerNames(x)
		name = own.Name(raw)
		return err
	})
	return name, err
}

func (t *Tenant) payerNames(x tx) (upstream.PayerNames, error) {
	names := upstream.PayerNames{}
	err := x.query("SELECT raw_key, payer FROM payer_mapping WHERE customer_id = $1", []any{t.id}, func(r row) error {
		names[r.text(0)] = r.text(1)
		return nil
	})
	return names, err
}

func (k *mappingTable[M]) scan(r row) (m M) {
	id, texts := k.of(&m)
	*id = r.int(0)
	for i, text := range texts {
		*text = r.text(i + 1)
	}
	return m
}

func (k *mappingTable[M]) list(ctx context.Context, t *Tenant, page upstream.Page) (list upstream.List[M], err error) {
	l := &listing{table: k.name, columns: "id, " + strings.Join(k.columns, ", "), id: "id", order: byID, args: params{t.id}}
	err = t.s.read(ctx, func(x tx) error {
		list, err = readList(x, l, page, func(r row) (M, error) { return k.scan(r), nil })
		return err
	})
	return list, err
}

// find returns the mapping that has a value in a column.
func (k *mappingTable[M]) find(ctx context.Context, t *Tenant, column string, value any) (m M, err error) {
	err = t.s.read(ctx, func(x tx) error {
		return x.query("SELECT id, "+strings.Join(k.columns, ", ")+" FROM "+k.name+" WHERE customer_id = $1 AND "+column+" = $2", []any{t.id, value}, func(r row) error {
			m = k.scan(r)
			return nil
		})
	})
	if id, _ := k.of(&m); err == nil && *id == 0 {
		err = errNoMapping
	}
	return m, err
}

var errNoMapping = upstream.Errorf(upstream.NotFound, "there is no such mapping; the list of mappings shows those there are")

// insert stores a mapping and gives it its id.
func (k *mappingTable[M]) insert(x tx, customer int64, m *M) error {
	if err := k.free(x, customer, m); err != nil {
		return err
	}
	id, texts := k.of(m)
	next, err := one(x, "SELECT COALESCE(MAX(id), 0) + 1 FROM "+k.name+" WHERE customer_id = $1", customer)
	if err != nil {
		return err
	}
	*id = next
	args := []any{customer, next}
	for _, text := range texts {
		args = append(args, *text)
	}
	_, err = x.exec("INSERT INTO "+k.name+" (customer_id, id, "+strings.Join(k.columns, ", ")+") VALUES ("+placeholders(1, len(args))+")", args...)
	return err
}

func (k *mappingTable[M]) update(x tx, customer int64, m *M) error {
	if err := k.free(x, customer, m); err != nil {
		return err
	}
	id, texts := k.of(m)
	args, set := []any{customer, *id}, []string{}
	for i, text := range texts {
		args = append(args, *text)
		set = append(set, k.columns[i]+" = "+placeholders(len(args), 1))
	}
	n, err := x.exec("UPDATE "+k.name+" SET "+strings.Join(set, ", ")+" WHERE customer_id = $1 AND id = $2", args...)
	if err == nil && n == 0 {
		err = errNoMapping
	}
	return err
}

// free checks that no other mapping is of the same.
func (k *mappingTable[M]) free(x tx, customer int64, m *M) error {
	id, texts := k.of(m)
	taken, err := one(x, "SELECT id FROM "+k.name+" WHERE customer_id = $1 AND "+k.columns[0]+" = $2", customer, *texts[0])
	if err == nil && taken != 0 && taken != *id {
		err = upstream.Errorf(upstream.Conflict, "mapping %d is of the same already; change that one", taken)
	}
	return err
}

func (k *mappingTable[M]) remove(ctx context.Context, t *Tenant, id int64) error {
	return t.s.write(ctx, t.id, func(x tx) error {
		n, err := x.exec("DELETE FROM "+k.name+" WHERE customer_id = $1 AND id = $2", t.id, id)
		if err == nil && n == 0 {
			err = errNoMapping
		}
		return err
	})
}
