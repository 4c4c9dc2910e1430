package analysis

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/vecgate/vecgate/internal/access"
)

var (
	// harmless settings change how answers look; drivers set them when they connect. They need no right.
	harmless = set(`application_name bytea_output datestyle extra_float_digits intervalstyle timezone xmloption vecgate.ticket vecgate.reason
		synchronize_seqscans quote_all_identifiers geqo jit`)

	// tunable settings change how long or how thoroughly the server works.
	tunable = set(`statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout transaction_timeout row_security
		hnsw.ef_search hnsw.iterative_scan hnsw.max_scan_tuples hnsw.scan_mem_multiplier ivfflat.probes ivfflat.iterative_scan
		ivfflat.max_probes enable_seqscan enable_indexscan enable_bitmapscan enable_indexonlyscan enable_sort enable_hashjoin
		enable_mergejoin enable_nestloop enable_material enable_memoize random_page_cost seq_page_cost effective_cache_size
		max_parallel_workers_per_gather parallel_setup_cost parallel_tuple_cost work_mem maintenance_work_mem max_parallel_maintenance_workers
		pg_trgm.similarity_threshold pg_trgm.word_similarity_threshold default_text_search_config check_function_bodies
		constraint_exclusion gin_fuzzy_search_limit plan_cache_mode synchronous_commit default_tablespace default_table_access_method
		default_toast_compression temp_buffers cursor_tuple_fraction restrict_nonsystem_relation_kind`)

	// fixed settings may only be set to what they are.
	fixed = map[string]map[string]bool{
		"client_encoding":             {"utf8": true, "utf-8": true, "unicode": true},
		"standard_conforming_strings": {"on": true, "true": true, "1": true, "yes": true},
		"search_path":                 {"": true}, // and what it is already, see samePath
		"client_min_messages":         {"notice": true, "warning": true, "error": true},
		"session_replication_role":    {"origin": true},
		"backslash_quote":             {"safe_encoding": true},
	}
)

// settable reports whether a setting is one that clients may know and perhaps change.
func settable(n string) bool {
	n = strings.ToLower(n)
	return harmless[n] || tunable[n] || fixed[n] != nil || known[n]
}

// known settings are reported to every client, or are what drivers ask for.
var known = set(`server_version server_version_num server_encoding integer_datetimes is_superuser session_authorization in_hot_standby
	default_transaction_read_only transaction_read_only transaction_isolation default_transaction_isolation max_identifier_length
	max_index_keys block_size lc_collate lc_ctype`)

// setting notes that a setting is changed; one that could turn the analysis of later statements around is refused.
func (a *analysis) setting(s Setting) {
	a.st.ChangesSettings = append(a.st.ChangesSettings, s)
	if s.Reset {
		// What a session began with was the gateway's choice.
		return
	}
	switch {
	case harmless[s.Name]:
	case tunable[s.Name]:
		a.add(access.Access{Action: access.SessionSet, Resource: access.Resource{Target: a.cat.Target}, Attributes: access.Attributes{Fields: []string{s.Name}}})
	case fixed[s.Name] != nil:
		if !fixed[s.Name][strings.ToLower(s.Value)] && (s.Name != "search_path" || !a.samePath(s.Value)) {
			a.unclear("the setting %s may not become %q through the gateway", s.Name, s.Value)
		}
	default:
		a.unclear("the setting %s may not be changed through the gateway", s.Name)
	}
}

// samePath reports whether a search_path finds what the session's finds: the same schemas in the same order, and none that
// is not there yet but may come. The empty path
// is let pass too (pg_dump sets it): it finds less, and nothing else but what the session itself made in pg_temp.
func (a *analysis) samePath(value string) bool {
	effective := []string{"pg_catalog"}
	for i, part := range strings.Split(value, ",") {
		part = strings.TrimSpace(part)
		if strings.Contains(part, `"`) {
			// One schema may have a name that reads like two.
			opened, begins := strings.CutPrefix(part, `"`)
			inner, ends := strings.CutSuffix(opened, `"`)
			if !begins || !ends || strings.Contains(inner, `"`) {
				return false
			}
			part = inner
		}
		switch {
		case part == "pg_temp":
		case part == "pg_catalog" && i > 0:
			return false // everything before it would stand in front of the server's own
		case !a.cat.schemas[part]:
			return false
		case part != "pg_catalog":
			effective = append(effective, part)
		}
	}
	return slices.Equal(effective, a.cat.path)
}

// variableSet analyses SET and RESET.
func (a *analysis) variableSet(s *pg.VariableSetStmt) {
	n := strings.ToLower(s.Name)
	switch s.Kind {
	case pg.VariableSetKind_VAR_RESET_ALL:
		a.setting(Setting{Name: "all", Reset: true})
	case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_SET_DEFAULT:
		a.setting(Setting{Name: n, Reset: true, Local: s.IsLocal})
	case pg.VariableSetKind_VAR_SET_MULTI:
		// SET TRANSACTION …, SET SESSION CHARACTERISTICS AS TRANSACTION …
		switch n {
		case "transaction", "session characteristics":
		default:
			a.unclear("SET %s is not supported through the gateway", s.Name)
		}
	case pg.VariableSetKind_VAR_SET_VALUE:
		for _, arg := range s.Args {
			if strings.ContainsAny(strings.Join(literals(arg), ""), `,"`) && n == "search_path" {
				a.unclear("SET search_path takes one schema in each string; this one reads like several")
			}
		}
		a.setting(Setting{Name: n, Value: settingValue(s.Args), Local: s.IsLocal})
	default:
		a.unclear("a SET of an unknown kind")
	}
}

func settingValue(args []*pg.Node) string {
	var parts []string
	for _, arg := range args {
		for arg.GetTypeCast() != nil {
			arg = arg.GetTypeCast().Arg
		}
		switch c := arg.GetAConst().GetVal().(type) {
		case *pg.A_Const_Boolval:
			if c.Boolval.GetBoolval() {
				parts = append(parts, "on")
			} else {
				parts = append(parts, "off")
			}
		default:
			parts = append(parts, strings.Join(literals(arg), ""))
		}
	}
	return strings.Join(parts, ", ")
}
