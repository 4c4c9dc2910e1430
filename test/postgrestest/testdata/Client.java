import java.sql.*;
import java.util.Properties;

/** Asks the question through the JDBC driver: URL, user, query vector; the password is in PGPASSWORD. */
public class Client {
  public static void main(String[] args) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", args[1]);
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    try (Connection conn = DriverManager.getConnection(args[0], properties);
        PreparedStatement ask = conn.prepareStatement("SELECT name FROM items ORDER BY embedding <=> ?::vector LIMIT 3")) {
      ask.setString(1, args[2]);
      StringBuilder line = new StringBuilder("jdbc");
      // Six times: the driver prepares on the server at the fifth and reads binary from then on.
      for (int i = 0; i < 6; i++) {
        line.setLength(4);
        try (ResultSet rows = ask.executeQuery()) {
          while (rows.next()) line.append(' ').append(rows.getString(1));
        }
      }
      System.out.println(line);
    }
  }
}
