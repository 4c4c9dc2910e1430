package postgrestest

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// A DSN says how to reach one database as one user.
type DSN struct {
	Host     string
	Port     int
	Database string
	User     string
	Password string
	CAFile   string // empty: connect without TLS
}

// As is the same database for another user.
func (d DSN) As(user, password string) DSN {
	d.User, d.Password = user, password
	return d
}

// On is another database of the same server.
func (d DSN) On(database string) DSN {
	d.Database = database
	return d
}

// String is the DSN in libpq's keyword form, which psql, pgx and psycopg read.
func (d DSN) String() string {
	pairs := []string{
		"host=" + quote(d.Host), "port=" + strconv.Itoa(d.Port), "dbname=" + quote(d.Database),
		"user=" + quote(d.User), "password=" + quote(d.Password),
	}
	if d.CAFile != "" {
		pairs = append(pairs, "sslmode=verify-full", "sslrootcert="+quote(d.CAFile))
	} else {
		pairs = append(pairs, "sslmode=disable")
	}
	return strings.Join(pairs, " ")
}

// URL is the DSN as postgres://…, for clients that read nothing else.
func (d DSN) URL() string {
	query := url.Values{"sslmode": {"disable"}}
	if d.CAFile != "" {
		query = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {d.CAFile}}
	}
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(d.User, d.Password),
		Host: net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), Path: "/" + d.Database, RawQuery: query.Encode(),
	}).String()
}

// JDBC is the DSN for the JDBC driver, which takes user and password apart.
func (d DSN) JDBC() string {
	query := url.Values{"sslmode": {"disable"}}
	if d.CAFile != "" {
		query = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {d.CAFile}}
	}
	return "jdbc:postgresql://" + net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) + "/" + url.PathEscape(d.Database) + "?" + query.Encode()
}

func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
