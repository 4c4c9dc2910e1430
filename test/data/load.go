package data

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Role owns the tables once they are loaded; it must exist before.
const Role = "vecgate_app"

var (
	//go:embed tables.sql
	tablesSQL string
	//go:embed indexes.sql
	indexesSQL string
)

// A table is the content of one table as COPY reads it.
type table struct {
	name    string
	columns string
	rows    func(line func(fields ...any))
}

func tables() []table {
	s := load()
	return []table{
		{"items", "id, name, section, summary, description, version, homepage, installed_kib, embedding", func(line func(...any)) {
			for i := range s.items {
				r := &s.items[i]
				line(r.ID, r.Name, r.Section, r.Summary, r.Description, r.Version, r.Homepage, r.InstalledKiB, &r.Embedding)
			}
		}},
		{"customers", "id, name, email, phone, ssn, city, notes, embedding", func(line func(...any)) {
			for i := range s.customers {
				r := &s.customers[i]
				line(r.ID, r.Name, r.Email, r.Phone, r.SSN, r.City, r.Notes, &r.Embedding)
			}
		}},
		{"orders", "id, customer_id, item_id, quantity, amount, ordered_on", func(line func(...any)) {
			for _, r := range s.orders {
				line(r.ID, r.CustomerID, r.ItemID, r.Quantity, fmt.Sprintf("%d.%02d", r.Cents/100, r.Cents%100), r.Day)
			}
		}},
	}
}

// copyText is the table's content in COPY's text format.
func (t table) copyText() []byte {
	var text bytes.Buffer
	escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	t.rows(func(fields ...any) {
		for i, field := range fields {
			if i > 0 {
				text.WriteByte('\t')
			}
			fmt.Fprint(&text, escape.Replace(fmt.Sprint(field)))
		}
		text.WriteByte('\n')
	})
	return text.Bytes()
}

// Load makes the tables items, customers and orders, the view customer_emails and the
// indexes in schema public of the connection's database, all owned by Role. It needs
// the rights to create an extension and to give tables away.
func Load(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // does nothing after Commit
	if _, err := tx.Exec(ctx, tablesSQL); err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	for _, t := range tables() {
		_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(t.copyText()), t.copyStatement())
		if err != nil {
			return fmt.Errorf("fill %s: %w", t.name, err)
		}
	}
	if _, err := tx.Exec(ctx, indexesSQL); err != nil {
		return fmt.Errorf("create the indexes: %w", err)
	}
	return tx.Commit(ctx)
}

func (t table) copyStatement() string { return "COPY " + t.name + " (" + t.columns + ") FROM STDIN" }

// WriteSQL writes what Load does as a script for psql.
func WriteSQL(w io.Writer) error {
	script := bufio.NewWriter(w)
	fmt.Fprintf(script, "BEGIN;\n%s\n", tablesSQL)
	for _, t := range tables() {
		fmt.Fprintf(script, "%s;\n%s\\.\n\n", t.copyStatement(), t.copyText())
	}
	fmt.Fprintf(script, "%sCOMMIT;\n", indexesSQL)
	return script.Flush()
}
