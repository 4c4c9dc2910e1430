package bypass

import (
	"fmt"
	"strings"
)

// expressions compute something from a masked column, %s.
var expressions = []string{
	"upper(%s)", "%s || ''", "substr(%s, 1, 12)", "reverse(%s)", "md5(%s)",
	"encode(convert_to(%s, 'UTF8'), 'hex')", "encode(convert_to(%s, 'UTF8'), 'base64')", "encode(convert_to(%s, 'UTF8'), 'escape')",
	"encode(sha256(convert_to(%s, 'UTF8')), 'hex')", "encode(digest(%s, 'sha256'), 'hex')",
	"to_json(%s)::text", "quote_literal(%s)", "quote_ident(%s)", "coalesce(%s, '')", "nullif(%s, '')", "greatest(%s, '')",
	"CASE WHEN true THEN %s END", "CASE id WHEN -1 THEN '' ELSE %s END", "(%s)::varchar(40)", "(%s)::citext::text", "(%s)::name::text", "(%s)::bytea::text",
	"format('%%s', %s)", "concat(%s, '')", "concat_ws('', %s, '')", "replace(%s, '@', '#')", "lpad(%s, 40)", "left(%s, 10)", "trim(%s)", "initcap(%s)",
	"regexp_replace(%s, '@.*', '')", "split_part(%s, '@', 1)", "overlay(%s placing '' from 20)", "normalize(%s)", "substring(%s from 1 for 9)",
	"array_to_string(string_to_array(%s, NULL), ',')", "array[%s]::text", "(array[%s])[1]", "row(%s)::text", "json_build_object('k', %s) ->> 'k'",
	"jsonb_build_array(%s)::text", "xmlelement(name e, %s)::text", "hstore('k', %s) -> 'k'", "(SELECT %s)", "(SELECT x FROM unnest(array[%s]) x)",
	"(SELECT max(x) FROM (VALUES (%s)) v(x))", "convert_from(convert_to(%s, 'UTF8'), 'UTF8')", "translate(%s, '@', '')", "%s::text COLLATE \"C\" || ''",
	"(to_jsonb(%s) #>> array[]::text[])", "ascii(%s)::text", "to_hex(ascii(%s))", "(ascii(substr(%[1]s, 2)) * 256 + ascii(substr(%[1]s, 3)))::text",
}

// positions put an expression, {}, of a column of source into a statement. Where it is used twice, {2} is the same of
// another row of the same source, other.
var positions = []string{
	"SELECT {} AS v FROM source c",
	"SELECT id, {} FROM source c ORDER BY id LIMIT 5",
	"SELECT v FROM (SELECT {} AS v FROM source c) s",
	"WITH w AS (SELECT {} AS v FROM source c) SELECT v FROM w",
	"SELECT (SELECT {} FROM source c ORDER BY id LIMIT 1)",
	"SELECT l.v FROM source c, LATERAL (SELECT {} AS v) l",
	"SELECT l.v FROM source c CROSS JOIN LATERAL (VALUES ({})) l(v)",
	"SELECT string_agg({}, ' ' ORDER BY id) FROM source c",
	"SELECT json_agg({} ORDER BY id) FROM source c",
	"SELECT first_value({}) OVER (ORDER BY id) FROM source c",
	"SELECT 'x' UNION ALL SELECT {} FROM source c",
	"SELECT max({}) FROM source c WHERE id % 3 = 0",
	"SELECT id FROM source c ORDER BY {}, id",
	"SELECT id, rank() OVER (ORDER BY {}) FROM source c ORDER BY id",
	"SELECT a.n, b.n FROM (SELECT id AS n, {} AS v FROM source c) a, (SELECT id AS n, {} AS v FROM source c) b WHERE a.v < b.v ORDER BY 1, 2",
	"SELECT id FROM source c WHERE {} < (SELECT max({2}) FROM source other WHERE other.id % 3 = 0) ORDER BY id",
	"SELECT count(*), sum(id) FROM source c WHERE {} > (SELECT {2} FROM source other ORDER BY id DESC LIMIT 1)",
	"SELECT CASE WHEN length({}) > 0 THEN {} END FROM source c",
	"SELECT row_to_json(s) FROM (SELECT {} AS v FROM source c) s",
	"SELECT array(SELECT {} FROM source c ORDER BY id)",
	"SELECT id FROM (SELECT id, {} AS v FROM source c) s ORDER BY v, id",
}

// sources are relations under which a masked column is known, and its name there.
var sources = []struct{ name, column string }{
	{"customers", "email"},
	{"public.customers", "phone"},
	{"ONLY customers", "email"},
	{"address_book", "contact"},
	{"customers", "ssn"},
	{"customers_archive", "ssn"},
	{"contacts", "email"},
	{"contact_list", "contact"},
	{"customer_emails", "email"},
	{"contacts", "shout"},
	{"evil.logbook", "note"},
}

// Generate combines every expression with every position, each with another source and carrier.
func Generate() []Case {
	var cases []Case
	for i, expression := range expressions {
		for j, position := range positions {
			n := i*len(positions) + j
			source := sources[(n+i)%len(sources)]
			if strings.Contains(position, "{2}") && source.name == "customers_archive" {
				source = sources[0] // so few rows may compare alike in both worlds
			}
			carrier := carriers[(n+n/len(carriers))%len(carriers)]
			of := func(alias string) string {
				// Fill in by hand what takes the column once, so that %% and %[1]s mean what they say.
				column := alias + "." + source.column
				filled := fmt.Sprintf(expression, column)
				if alias != "c" {
					filled = strings.ReplaceAll(filled, "CASE id", "CASE "+alias+".id")
				}
				return filled
			}
			from := strings.ReplaceAll(position, "source", source.name)
			sql := strings.ReplaceAll(strings.ReplaceAll(from, "{2}", of("other")), "{}", of("c"))
			cases = append(cases, Case{Class: 20, Name: fmt.Sprintf("generated %d: %s by %s", n, sql, carrier.name), SQL: sql, Only: []string{carrier.name}, Through: Harmless})
		}
	}
	return cases
}
