package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/access"
)

// LoadCatalog reads a snapshot over a connection of the gateway's own, in one transaction of its own.
func LoadCatalog(ctx context.Context, conn *pgx.Conn, target string) (*Catalog, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("begin reading the catalog: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	// Every session of the target has the search_path that this connection has.
	var path []string
	if err := tx.QueryRow(ctx, "SELECT array(SELECT s::text FROM unnest(current_schemas(true)) s WHERE s !~ '^pg_temp')").Scan(&path); err != nil {
		return nil, fmt.Errorf("read the search path: %w", err)
	}
	// With nothing in the path, what the server prints has every name outside of pg_catalog qualified.
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = ''"); err != nil {
		return nil, fmt.Errorf("pin the search path: %w", err)
	}
	l := &loader{ctx: ctx, tx: tx, digest: sha256.New(), cat: &Catalog{
		Target: target, path: path, relations: map[name]*Relation{}, byOID: map[uint32]*Relation{}, indexes: map[name]*Relation{},
		functions: map[string][]function{}, bodies: map[name]string{}, operators: map[string][]operator{}, types: map[name]*dataType{},
		typeOID: map[uint32]*dataType{}, schemas: map[string]bool{}, extensions: map[string]bool{},
	}, generated: map[*Relation]map[*Column]string{}, views: map[*Relation]string{}, parents: map[*Relation][]*Relation{}, children: map[*Relation][]*Relation{}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"the database", l.database},
		{"schemas", l.schemas},
		{"extensions", l.extensions},
		{"types", l.types},
		{"relations", l.relations},
		{"columns", l.columns},
		{"inheritance", l.inheritance},
		{"keys", l.keys},
		{"functions", l.functions},
		{"operators", l.operators},
		{"casts", l.casts},
		{"code", l.code},
	} {
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("read %s of the catalog: %w", step.what, err)
		}
	}
	l.finish()
	fmt.Fprintf(l.digest, "%q", path)
	l.cat.Epoch = binary.BigEndian.Uint64(l.digest.Sum(nil)) | 1
	return l.cat, nil
}

// loader is the state of one LoadCatalog.
type loader struct {
	ctx    context.Context
	tx     pgx.Tx
	digest hash.Hash
	cat    *Catalog

	generated map[*Relation]map[*Column]string
	views     map[*Relation]string
	parents   map[*Relation][]*Relation
	children  map[*Relation][]*Relation
}

// rows runs a query and scans each row into dest, which each looks at; what was read goes into the digest.
func (l *loader) rows(query string, dest []any, each func()) error {
	rows, err := l.tx.Query(l.ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	fmt.Fprintf(l.digest, "%q\n", query)
	for rows.Next() {
		for _, raw := range rows.RawValues() {
			var size [5]byte
			if raw == nil {
				size[4] = 1
			}
			binary.BigEndian.PutUint32(size[:], uint32(len(raw)))
			l.digest.Write(size[:])
			l.digest.Write(raw)
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		each()
	}
	return rows.Err()
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (l *loader) database() error {
	return l.rows("SELECT current_database()::text", []any{&l.cat.database}, func() {})
}

func (l *loader) schemas() error {
	var schema string
	var create bool
	return l.rows(`SELECT nspname::text, has_schema_privilege(oid, 'CREATE') FROM pg_namespace
		WHERE nspname !~ '^pg_(toast|temp_)' ORDER BY 1`, []any{&schema, &create}, func() {
		l.cat.schemas[schema] = true
		if create {
			l.cat.Creatable = append(l.cat.Creatable, schema)
		}
	})
}

func (l *loader) extensions() error {
	var extension, schema string
	return l.rows("SELECT e.extname::text, n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
		[]any{&extension, &schema}, func() {
			l.cat.extensions[extension] = true
			if extension == "vector" {
				l.cat.vectors = schema
			}
		})
}

// ofExtension is the name of the extension that an object belongs to, as an expression.
const ofExtension = `coalesce((SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.classid = '%s'::regclass AND d.objid = %s), '')`

func (l *loader) types() error {
	var oid, elem, base uint32
	var schema, typ, kind, extension string
	var bases []struct{ t, base uint32 }
	err := l.rows(`SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typbasetype, `+
		fmt.Sprintf(ofExtension, "pg_type", "t.oid")+`
		FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname !~ '^pg_(toast|temp_)' ORDER BY 1`,
		[]any{&oid, &schema, &typ, &kind, &elem, &base, &extension}, func() {
			t := &dataType{oid: oid, name: name{schema, typ}, kind: kind[0], elem: elem, base: base}
			t.vector = extension == "vector" && (typ == "vector" || typ == "halfvec" || typ == "sparsevec")
			l.cat.types[t.name], l.cat.typeOID[oid] = t, t
			bases = append(bases, struct{ t, base uint32 }{oid, base})
		})
	if err != nil {
		return err
	}
	err = l.rows(`SELECT t.oid, a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE t.typtype = 'c' AND t.typnamespace <> 'pg_catalog'::regnamespace ORDER BY 1, 2`, []any{&oid, &base}, func() {
		bases = append(bases, struct{ t, base uint32 }{oid, base})
	})
	// A domain over a vector, an array of vectors and a row with one in it hold embeddings too.
	for again := true; again; {
		again = false
		for _, b := range bases {
			t := l.cat.typeOID[b.t]
			if t == nil || t.vector {
				continue
			}
			for _, under := range []uint32{t.elem, b.base} {
				if u := l.cat.typeOID[under]; u != nil && u.vector {
					t.vector, again = true, true
				}
			}
		}
	}
	return err
}

func (l *loader) relations() error {
	var oid, rowType uint32
	var schema, rel, kind string
	var rules bool
	var definition *string
	return l.rows(`SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.reltype,
		EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
		CASE WHEN c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') THEN pg_get_viewdef(c.oid) END
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_(toast|temp_)' ORDER BY 1`,
		[]any{&oid, &schema, &rel, &kind, &rowType, &rules, &definition}, func() {
			r := &Relation{
				OID: oid, Resource: access.Resource{Target: l.cat.Target, Namespace: schema, Collection: rel}, kind: kind[0],
				schema: schema, name: rel, rowType: rowType, system: schema == "pg_catalog" || schema == "information_schema",
			}
			if rules && !r.system {
				r.opaque = "rewrite rules stand on it"
			}
			if definition != nil {
				l.views[r], r.defined = *definition, digestOf(*definition)
			}
			l.cat.relations[name{schema, rel}], l.cat.byOID[oid] = r, r
		})
}

func (l *loader) columns() error {
	var oid, typ uint32
	var number int16
	var column string
	var mod int32
	var generated *string
	return l.rows(`SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod,
		CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2`,
		[]any{&oid, &number, &column, &typ, &mod, &generated}, func() {
			r := l.cat.byOID[oid]
			if r == nil {
				return
			}
			c := &Column{Relation: oid, Attnum: number, Resource: r.Resource, Name: column, TypeOID: typ}
			if t := l.cat.typeOID[typ]; t != nil {
				// A long bit string beside pgvector is a quantized embedding.
				c.Vector = t.vector || t.name == name{"pg_catalog", "bit"} && mod >= 64 && l.cat.vectors != ""
			}
			r.Columns = append(r.Columns, c)
			if generated != nil {
				if l.generated[r] == nil {
					l.generated[r] = map[*Column]string{}
				}
				l.generated[r][c] = *generated
			}
		})
}

func (l *loader) inheritance() error {
	var child, parent uint32
	return l.rows("SELECT inhrelid, inhparent FROM pg_inherits ORDER BY 1, inhseqno", []any{&child, &parent}, func() {
		c, p := l.cat.byOID[child], l.cat.byOID[parent]
		if c != nil && p != nil {
			l.parents[c] = append(l.parents[c], p)
			l.children[p] = append(l.children[p], c)
		}
	})
}

func (l *loader) keys() error {
	var table uint32
	var schema, index string
	var unique, primary bool
	var columns []int16
	return l.rows(`SELECT i.indrelid, n.nspname::text, c.relname::text, i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL,
		(i.indkey::int2[])[0:i.indnkeyatts - 1], i.indisprimary
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast') ORDER BY 1, 3`,
		[]any{&table, &schema, &index, &unique, &columns, &primary}, func() {
			r := l.cat.byOID[table]
			if r == nil {
				return
			}
			l.cat.indexes[name{schema, index}] = r
			if !unique && !primary {
				return
			}
			var key []*Column
			for _, number := range columns {
				for _, c := range r.Columns {
					if c.Attnum == number {
						key = append(key, c)
					}
				}
			}
			if primary {
				r.primary = key
			}
			if unique && len(key) == len(columns) {
				r.keys = append(r.keys, key)
			}
		})
}

func (l *loader) functions() error {
	var schema, fn, kind, extension string
	var body *string
	var set bool
	var args int
	var columns []string
	var composite bool
	return l.rows(`SELECT n.nspname::text, p.proname::text, p.prokind::text, p.proretset, p.pronargs, `+fmt.Sprintf(ofExtension, "pg_proc", "p.oid")+`,
		coalesce((SELECT array_agg(p.proargnames[i]::text ORDER BY i) FROM generate_subscripts(p.proargmodes, 1) i WHERE p.proargmodes[i] IN ('o', 'b', 't')),
			(SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
			 WHERE t.oid = p.prorettype AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
		EXISTS (SELECT FROM pg_type t WHERE t.oid = p.prorettype AND (t.typrelid <> 0 OR t.typname = 'record' AND t.typnamespace = 'pg_catalog'::regnamespace)),
		CASE WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e'
			AND d.classid = 'pg_proc'::regclass AND d.objid = p.oid) THEN p::text END
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname !~ '^pg_(toast|temp_)' ORDER BY p.oid`,
		[]any{&schema, &fn, &kind, &set, &args, &extension, &columns, &composite, &body}, func() {
			if body != nil {
				l.cat.bodies[name{schema, fn}] += digestOf(*body)
			}
			if kind == "p" {
				return
			}
			l.cat.functions[fn] = append(l.cat.functions[fn], function{
				schema: schema, extension: extension, aggregate: kind == "a",
				columns: append([]string(nil), columns...), composite: composite, set: set, args: args,
			})
		})
}

func (l *loader) operators() error {
	var schema, op, fnSchema, fn, extension string
	return l.rows(`SELECT n.nspname::text, o.oprname::text, pn.nspname::text, p.proname::text, `+fmt.Sprintf(ofExtension, "pg_operator", "o.oid")+`
		FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_namespace pn ON pn.oid = p.pronamespace
		WHERE n.nspname <> 'pg_catalog' ORDER BY o.oid`, []any{&schema, &op, &fnSchema, &fn, &extension}, func() {
		l.cat.operators[op] = append(l.cat.operators[op], operator{
			schema: schema, function: name{fnSchema, fn},
			trusted: trustedExtensions[extension] || fnSchema == "pg_catalog" && pure[fn],
		})
	})
}

func (l *loader) casts() error {
	var to uint32
	var schema, fn, extension string
	return l.rows(`SELECT c.casttarget, n.nspname::text, p.proname::text, `+fmt.Sprintf(ofExtension, "pg_cast", "c.oid")+`
		FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname <> 'pg_catalog' ORDER BY c.oid`, []any{&to, &schema, &fn, &extension}, func() {
		if t := l.cat.typeOID[to]; t != nil && !trustedExtensions[extension] {
			t.code = true
		}
	})
}

// code finds the types and relations on which functions of users stand. The server's own functions are in no dependency.
func (l *loader) code() error {
	var id uint32
	err := l.rows(`SELECT DISTINCT c.contypid FROM pg_constraint c JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
		WHERE c.contypid <> 0 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) ORDER BY 1`, []any{&id}, func() {
		if t := l.cat.typeOID[id]; t != nil {
			t.code = true
		}
	})
	if err != nil {
		return err
	}
	var inside []struct{ whole, part uint32 }
	var whole, part uint32
	err = l.rows(`SELECT oid, typelem FROM pg_type WHERE typelem <> 0 UNION ALL SELECT oid, typbasetype FROM pg_type WHERE typbasetype <> 0
		UNION ALL SELECT t.oid, a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE t.typrelid <> 0 AND t.typnamespace <> 'pg_catalog'::regnamespace
		UNION ALL SELECT rngtypid, rngsubtype FROM pg_range UNION ALL SELECT rngmultitypid, rngsubtype FROM pg_range ORDER BY 1, 2`,
		[]any{&whole, &part}, func() { inside = append(inside, struct{ whole, part uint32 }{whole, part}) })
	if err != nil {
		return err
	}
	for again := true; again; {
		again = false
		for _, in := range inside {
			w, p := l.cat.typeOID[in.whole], l.cat.typeOID[in.part]
			if w != nil && p != nil && p.code && !w.code {
				w.code, again = true, true
			}
		}
	}
	err = l.rows(`SELECT tgrelid FROM pg_trigger WHERE NOT tgisinternal
		UNION SELECT polrelid FROM pg_policy
		UNION SELECT a.adrelid FROM pg_attrdef a JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid WHERE d.refclassid = 'pg_proc'::regclass
		UNION SELECT c.conrelid FROM pg_constraint c JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
			WHERE c.conrelid <> 0 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
		UNION SELECT i.indrelid FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid WHERE d.refclassid = 'pg_proc'::regclass
		ORDER BY 1`, []any{&id}, func() {
		if r := l.cat.byOID[id]; r != nil {
			r.speaks = true
		}
	})
	if err != nil {
		return err
	}
	var trigger, called string
	err = l.rows(`SELECT t.tgrelid, t::text, p::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE NOT t.tgisinternal ORDER BY t.oid`, []any{&id, &trigger, &called}, func() {
		if r := l.cat.byOID[id]; r != nil {
			r.triggers = digestOf(r.triggers + trigger + called)
		}
	})
	if err != nil {
		return err
	}
	if err := l.rows("SELECT EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D')", []any{&l.cat.hooked}, func() {}); err != nil {
		return err
	}
	return l.cascades()
}

// cascades finds which relations a change of one can reach over foreign keys, and lets one speak that reaches one that does.
func (l *loader) cascades() error {
	for _, r := range l.cat.byOID {
		for _, c := range r.Columns {
			r.speaks = r.speaks || l.cat.RunsCode(c.TypeOID)
		}
	}
	var from, to uint32
	var acts bool
	var keys [][2]*Relation
	changes := map[*Relation][]*Relation{}
	err := l.rows(`SELECT conrelid, confrelid, confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd') FROM pg_constraint
		WHERE contype = 'f' ORDER BY 1, 2, 3`, []any{&from, &to, &acts}, func() {
		if f, t := l.cat.byOID[from], l.cat.byOID[to]; f != nil && t != nil {
			keys = append(keys, [2]*Relation{f, t})
			if acts {
				changes[t] = append(changes[t], f)
			}
		}
	})
	for r := range changes {
		r.reached = closure(r, changes)
	}
	for again := true; again; {
		again = false
		for _, k := range keys {
			if k[0].speaks && !k[1].speaks {
				k[1].speaks, again = true, true
			}
		}
	}
	return err
}
