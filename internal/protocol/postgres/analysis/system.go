package analysis

import (
	"github.com/vecgate/vecgate/internal/access"
)

var (
	// listed are the relations of pg_catalog that say what kinds of things there are; drivers read them when they connect.
	listed = set(`pg_am pg_amop pg_amproc pg_available_extension_versions pg_available_extensions pg_cast pg_collation pg_conversion
		pg_database pg_enum pg_extension pg_language pg_namespace pg_opclass pg_operator pg_opfamily pg_range pg_settings pg_timezone_abbrevs
		pg_timezone_names pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type`)

	// described are those that say what is defined; none of them holds a value out of a table.
	described = set(`pg_aggregate pg_attrdef pg_attribute pg_class pg_constraint pg_default_acl pg_depend pg_description pg_event_trigger
		pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_index pg_indexes pg_inherits pg_init_privs pg_largeobject_metadata
		pg_matviews pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_proc pg_publication pg_publication_namespace
		pg_publication_rel pg_publication_tables pg_rewrite pg_rules pg_seclabel pg_seclabels pg_sequence pg_sequences pg_shdepend
		pg_shdescription pg_shseclabel pg_statistic_ext pg_tables pg_tablespace pg_transform pg_trigger pg_views`)

	// roles are those that say who has an account and what rights.
	roles = set("pg_auth_members pg_group pg_roles pg_user")

	// bodies are columns with code in them, which may hold anything.
	bodies = map[name]map[string]bool{
		{"pg_catalog", "pg_proc"}:                 set("prosrc prosqlbody"),
		{"information_schema", "routines"}:        set("routine_definition"),
		{"pg_catalog", "pg_foreign_server"}:       set("srvoptions"),
		{"pg_catalog", "pg_foreign_data_wrapper"}: set("fdwoptions"),
		{"pg_catalog", "pg_foreign_table"}:        set("ftoptions"),
	}

	// rawInformation are the views of information_schema that show more than definitions.
	rawInformation = set(`foreign_data_wrapper_options foreign_server_options foreign_table_options user_mapping_options user_mappings
		_pg_foreign_data_wrappers _pg_foreign_servers _pg_foreign_table_columns _pg_foreign_tables _pg_user_mappings`)
)

// system notes what reading a relation of the server itself is. What is in no list (statistics, activity, passwords, large
// objects …) holds values out of tables or secrets: a raw read.
func (a *analysis) system(rel *Relation) {
	whole := access.Resource{Target: a.cat.Target}
	switch {
	case rel.schema == "information_schema" && !rawInformation[rel.name], rel.schema == "pg_catalog" && described[rel.name]:
		a.add(access.Access{Action: access.SchemaRead, Resource: whole})
	case rel.schema == "pg_catalog" && listed[rel.name]:
		a.add(access.Access{Action: access.SchemaList, Resource: whole})
	case rel.schema == "pg_catalog" && roles[rel.name]:
		a.add(access.Access{Action: access.IAMRead, Resource: whole})
	default:
		a.add(access.Access{Action: access.RawRead, Resource: rel.Resource})
	}
}

// systemBodies notes the columns of system relations that need more than their relation does.
func (a *analysis) systemBodies() {
	for c := range a.used {
		if bodies[name{c.Resource.Namespace, c.Resource.Collection}][c.Name] {
			a.add(access.Access{Action: access.RawRead, Resource: c.Resource, Attributes: access.Attributes{Fields: []string{c.Name}}})
		}
	}
}
