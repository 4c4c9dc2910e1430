package postgres

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

func TestTablesUnderAFilterAreRefusedOnEveryWay(t *testing.T) {
	w := analyzed(t, access.Obligations{Filters: []access.FilterRule{
		{Pattern: "products/public/customers", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"},
	}}, "create table items (id int)", "create view shown as select * from customers")
	conn := w.connect()
	for _, text := range []string{
		"select * from customers where id = 1",
		"select count(*) from customers",
		"select * from shown",
		"select i.id from items i join customers c on c.id = i.id",
		"select 1; select name from customers limit 1",
		"with x as (select * from customers) select 1 from x",
		"insert into customers values (1001, 'n', 'x', null)",
		"insert into items select id from customers",
		"update customers set name = 'x' where id = 1",
		"delete from customers where id = 1",
		"truncate customers",
		"drop table customers",
		"copy customers to stdout",
		"prepare p as select * from customers",
		"begin; declare c cursor for select email from customers; fetch 3 from c; commit",
	} {
		_, err := conn.PgConn().Exec(t.Context(), text).ReadAll()
		if err == nil || !strings.Contains(err.Error(), "own-tenant") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := conn.Exec(t.Context(), "rollback"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), "select id from customers where id = $1", 1); err == nil || !strings.Contains(err.Error(), "own-tenant") {
		t.Errorf("prepared: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "select * from items"); err != nil {
		t.Errorf("a table without a filter: %v", err)
	}
}
