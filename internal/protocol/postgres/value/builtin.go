package value

// builtin are the types whose OIDs are the same in every database (src/include/catalog/pg_type.dat).
var builtin = func() map[uint32]Type {
	types := map[uint32]Type{}
	for _, b := range []struct {
		oid, array uint32
		name       string
		family     Family
	}{
		{16, 1000, "bool", Bool},
		{17, 1001, "bytea", Bytea},
		{19, 1003, "name", Text},
		{20, 1016, "int8", Int8},
		{21, 1005, "int2", Int2},
		{23, 1007, "int4", Int4},
		{25, 1009, "text", Text},
		{26, 1028, "oid", OID},
		{114, 199, "json", JSON},
		{142, 143, "xml", Text},
		{700, 1021, "float4", Float4},
		{701, 1022, "float8", Float8},
		{705, 0, "unknown", Text},
		{869, 1041, "inet", Inet},
		{650, 651, "cidr", Inet},
		{1042, 1014, "bpchar", Text},
		{1043, 1015, "varchar", Text},
		{1082, 1182, "date", Date},
		{1083, 1183, "time", Time},
		{1114, 1115, "timestamp", Timestamp},
		{1184, 1185, "timestamptz", TimestampTZ},
		{1186, 1187, "interval", Interval},
		{1560, 1561, "bit", Bit},
		{1562, 1563, "varbit", Bit},
		{1700, 1231, "numeric", Numeric},
		{2950, 2951, "uuid", UUID},
		{3802, 3807, "jsonb", JSONB},
	} {
		types[b.oid] = Type{OID: b.oid, Name: b.name, Family: b.family}
		if b.array != 0 {
			types[b.array] = Type{OID: b.array, Name: "_" + b.name, Family: Array, Elem: b.family}
		}
	}
	return types
}()
