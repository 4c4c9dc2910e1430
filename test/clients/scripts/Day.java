import java.sql.*;
import java.util.*;

/** A working day of the JDBC driver; see day.py. Usage: Day normal|masked */
public class Day {
    static void say(String what, Object value) {
        System.out.println("[\"" + what + "\", \"" + value + "\"]");
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", env.getOrDefault("PGSSLMODE", "prefer"));
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        try (Connection c = DriverManager.getConnection(url, p)) {
            if (args[0].equals("masked")) {
                masked(c);
            } else {
                normal(c);
            }
        }
    }

    static void masked(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("SELECT id, email, phone, embedding FROM customers WHERE id = ?")) {
            for (int i = 0; i < 8; i++) { // past prepareThreshold: binary transfer and a named statement
                s.setLong(1, 7);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    say("masked", r.getLong(1) + " " + r.getString(2) + " " + r.getString(3) + " " + r.getString(4));
                }
            }
        }
        try (Statement s = c.createStatement()) {
            s.executeQuery("SELECT id FROM customers WHERE email LIKE 'a%' LIMIT 5");
            say("refused", null);
        } catch (SQLException e) {
            say("refused", e.getSQLState());
        }
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT 1")) {
            r.next();
            say("after", r.getInt(1));
        }
    }

    static void normal(Connection c) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute("DROP TABLE IF EXISTS day_jdbc");
            s.execute("CREATE TABLE day_jdbc (id int PRIMARY KEY, name text)");
        }
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("INSERT INTO day_jdbc VALUES (?, ?)")) {
            for (int i = 0; i < 100; i++) {
                s.setInt(1, i);
                s.setString(2, "row " + i);
                s.addBatch();
            }
            say("batch", Arrays.stream(s.executeBatch()).sum());
        }
        c.commit();
        try (PreparedStatement s = c.prepareStatement("SELECT id FROM day_jdbc ORDER BY id LIMIT 90")) {
            s.setFetchSize(7); // portal suspension
            long sum = 0;
            try (ResultSet r = s.executeQuery()) {
                while (r.next()) {
                    sum += r.getInt(1);
                }
            }
            say("portal", sum);
        }
        try (Statement s = c.createStatement()) {
            s.execute("INSERT INTO day_jdbc VALUES (1, 'again')");
        } catch (SQLException e) {
            say("error", e.getSQLState());
        }
        c.rollback();
        c.setAutoCommit(true);
        try (PreparedStatement s = c.prepareStatement("SELECT name FROM items WHERE id = ?")) {
            for (int i = 1; i < 9; i++) {
                s.setLong(1, i);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    say("by key", r.getString(1));
                }
            }
        }
        DatabaseMetaData m = c.getMetaData();
        try (ResultSet r = m.getTables(null, "public", "i%", new String[] {"TABLE"})) {
            while (r.next()) {
                say("table", r.getString("TABLE_NAME"));
            }
        }
        try (ResultSet r = m.getColumns(null, "public", "orders", "%")) {
            while (r.next()) {
                say("column", r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME"));
            }
        }
        try (ResultSet r = m.getPrimaryKeys(null, "public", "items")) {
            while (r.next()) {
                say("key", r.getString("COLUMN_NAME"));
            }
        }
        try (Statement s = c.createStatement()) {
            s.execute("DROP TABLE day_jdbc");
        }
    }
}
