import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.*;
import java.util.*;
import java.util.function.Function;
import java.util.stream.*;

/** MariaDB Connector/J: text and binary protocol, batches, procedures with OUT parameters, cursors. See ../README.md. */
public class ConnectorJ {
    interface Work { Object run() throws Exception; }

    static final String NAME = "MATRIX_";

    static String env(String name) { return System.getenv(NAME + name); }

    static String digest(byte[] bytes) throws Exception {
        StringBuilder hex = new StringBuilder(bytes.length + " bytes ");
        for (byte b : MessageDigest.getInstance("MD5").digest(bytes)) hex.append(String.format("%02x", b));
        return hex.toString();
    }

    static String show(Object value) throws Exception {
        if (value == null) return "null";
        if (value instanceof byte[] bytes) {
            if (bytes.length > 400) return digest(bytes);
            StringBuilder hex = new StringBuilder("x");
            for (byte b : bytes) hex.append(String.format("%02x", b));
            return hex.toString();
        }
        if (value instanceof Blob blob) return show(blob.getBytes(1, (int) blob.length()));
        if (value instanceof String text) return text.length() > 400 ? digest(text.getBytes(StandardCharsets.UTF_8)) : "'" + text.replace("\n", "\\n") + "'";
        if (value instanceof int[] numbers) return Arrays.toString(numbers);
        if (value instanceof long[] numbers) return Arrays.toString(numbers);
        if (value instanceof List<?> list) {
            List<String> shown = new ArrayList<>();
            for (Object item : list) shown.add(show(item));
            return shown.toString();
        }
        return value.getClass().getSimpleName() + "(" + value + ")";
    }

    static void say(String name, Object... values) {
        try {
            StringBuilder line = new StringBuilder(name + ":");
            for (Object value : values) line.append(' ').append(show(value));
            System.out.println(line.toString().replace("\n", "\\n"));
        } catch (Exception error) {
            System.out.println(name + ": cannot be shown " + error);
        }
    }

    /** Runs one case; an error is a result like another. */
    static void attempt(String name, Work work) {
        try {
            Object value = work.run();
            if (value != null) say(name, value);
        } catch (BatchUpdateException error) {
            say(name, "error", error.getErrorCode(), error.getSQLState(), message(error), error.getUpdateCounts());
        } catch (SQLException error) {
            say(name, "error", error.getClass().getSimpleName(), error.getErrorCode(), error.getSQLState(), message(error));
        } catch (Throwable error) {
            say(name, "error", error.getClass().getSimpleName(), message(error));
        }
    }

    static String message(Throwable error) { return String.valueOf(error.getMessage()).replaceAll("conn=-?\\d+", "conn=<id>"); }

    static Connection connect(String... more) throws SQLException { return connectTo(env("HOST") + ":" + env("PORT"), env("DB"), more); }

    static Connection connectTo(String address, String schema, String... more) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", env("USER"));
        properties.put("password", env("PASSWORD"));
        properties.put("allowPublicKeyRetrieval", "true");
        properties.put("serverTimezone", "UTC");
        for (String pair : more) properties.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
        return DriverManager.getConnection("jdbc:mariadb://" + address + "/" + schema, properties);
    }

    static void sayResults(String name, Statement statement, boolean isRows) throws Exception {
        while (true) {
            if (isRows) {
                try (ResultSet rows = statement.getResultSet()) { sayRows(name, rows); }
            } else {
                if (statement.getLargeUpdateCount() == -1) break;
                say(name, "updated", statement.getLargeUpdateCount());
            }
            isRows = statement.getMoreResults();
        }
        for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning())
            say(name, "warning", warning.getErrorCode(), warning.getSQLState(), warning.getMessage());
    }

    static void sayRows(String name, ResultSet rows) throws Exception {
        ResultSetMetaData meta = rows.getMetaData();
        List<Object> columns = new ArrayList<>();
        for (int at = 1; at <= meta.getColumnCount(); at++)
            columns.add(List.of(meta.getCatalogName(at), meta.getTableName(at), meta.getColumnName(at), meta.getColumnLabel(at), meta.getColumnTypeName(at),
                meta.getColumnType(at), meta.getPrecision(at), meta.getScale(at), meta.getColumnDisplaySize(at), meta.isNullable(at), meta.isSigned(at), meta.isAutoIncrement(at)));
        for (Object column : columns) say(name, "column", column);
        while (rows.next()) {
            List<Object> row = new ArrayList<>();
            for (int at = 1; at <= meta.getColumnCount(); at++) row.add(value(rows, at));
            say(name, row);
        }
    }

    static Object value(ResultSet rows, int at) {
        try {
            Object value = rows.getObject(at);
            return value instanceof byte[] || value instanceof Blob || value instanceof String ? value : value == null ? null : value.getClass().getSimpleName() + " " + rows.getString(at);
        } catch (Exception error) {
            return "error " + error.getMessage();
        }
    }

    static void text(String name, Connection connection, String sql) {
        attempt(name, () -> {
            try (Statement statement = connection.createStatement()) { sayResults(name, statement, statement.execute(sql)); }
            return null;
        });
    }

    static void prepared(String name, Connection connection, String sql, Object... params) {
        attempt(name, () -> {
            try (PreparedStatement statement = connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
                for (int at = 0; at < params.length; at++) statement.setObject(at + 1, params[at]);
                sayResults(name, statement, statement.execute());
                try (ResultSet keys = statement.getGeneratedKeys()) { while (keys.next()) say(name, "key", keys.getLong(1)); }
            }
            return null;
        });
    }

    static Object parameter(String text) {
        String value = text.substring(2);
        return switch (text.charAt(0)) {
            case 'i' -> Long.parseLong(value);
            case 'd' -> Double.parseDouble(value);
            case 'x' -> new java.math.BigInteger("1" + value, 16).toByteArray().length == 0 ? null : bytes(value);
            case 'n' -> null;
            default -> value;
        };
    }

    static byte[] bytes(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int at = 0; at < bytes.length; at++) bytes[at] = (byte) Integer.parseInt(hex.substring(2 * at, 2 * at + 2), 16);
        return bytes;
    }

    static Object one(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) { rows.next(); return rows.getObject(1); }
    }

    static void logins() {
        String who = "SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @@sql_mode, @first, @@wait_timeout";
        Map<String, Work> variants = new LinkedHashMap<>();
        String tcp = env("HOST") + ":" + env("PORT");
        variants.put("login-tcp", () -> connect());
        variants.put("login-tls", () -> connectTo("localhost:" + env("PORT"), env("DB"), "useSsl=true", "serverSslCert=" + env("CA")));
        variants.put("login-socket", () -> connect("localSocket=" + env("SOCKET")));
        variants.put("login-no-schema", () -> connectTo(tcp, ""));
        variants.put("login-wrong-password", () -> connect("password=wrong"));
        variants.put("login-no-password", () -> connect("password="));
        variants.put("login-unknown-user", () -> connect("user=matrix_nobody"));
        variants.put("login-unknown-schema", () -> connectTo(tcp, "no_such_schema"));
        variants.put("login-create-schema", () -> connectTo(tcp, env("DB"), "createDatabaseIfNotExist=true"));
        variants.put("login-variables", () -> connect("sessionVariables=wait_timeout=4321,@first='yes'"));
        variants.put("login-compressed", () -> connect("useCompression=true"));
        variants.put("login-affected-rows", () -> connect("useAffectedRows=true"));
        variants.put("login-interactive", () -> connect("interactiveClient=true"));
        variants.put("login-attributes", () -> connect("connectionAttributes=program:matrix"));
        variants.put("login-no-autocommit", () -> connect("autocommit=false"));
        variants.forEach((name, open) -> attempt(name, () -> {
            try (Connection connection = (Connection) open.run()) {
                text(name, connection, who);
                text(name + "-same", connection, "UPDATE items SET name = 'one' WHERE id = 1");
                if (name.contains("compressed")) text(name + "-big", connection, "SELECT REPEAT('long text ', 500000)");
                DatabaseMetaData meta = connection.getMetaData();
                say(name, meta.getDatabaseProductName(), meta.getDatabaseProductVersion(), connection.getCatalog(), connection.getTransactionIsolation());
            }
            return null;
        }));
    }

    static void allCases(String prefix, boolean isBinary, String... options) throws Exception {
        try (Connection connection = connect(options)) {
            for (String line : Files.readAllLines(Path.of(env("CASES")))) {
                if (line.startsWith("#")) continue;
                String[] parts = line.split("\t", -1);
                String name = prefix + parts[1];
                Object[] params = Arrays.stream(parts).skip(3).map(ConnectorJ::parameter).toArray();
                if (parts[0].equals("text") && !isBinary) text(name, connection, parts[2]);
                else prepared(name, connection, parts[2], params);
            }
        }
    }

    static void batches(String prefix, String... options) throws Exception {
        try (Connection connection = connect(options)) {
            attempt(prefix + "batch", () -> {
                try (PreparedStatement statement = connection.prepareStatement("INSERT INTO work (v) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                    for (int n = 0; n < 300; n++) { statement.setString(1, "batch " + n); statement.addBatch(); }
                    say(prefix + "batch", statement.executeBatch());
                    ResultSet keys = statement.getGeneratedKeys();
                    int count = 0;
                    while (keys.next()) count++;
                    say(prefix + "batch", "keys", count);
                }
                return null;
            });
            text(prefix + "batch-count", connection, "SELECT COUNT(*) FROM work WHERE v LIKE 'batch%'");
            attempt(prefix + "batch-error", () -> {
                try (PreparedStatement statement = connection.prepareStatement("INSERT INTO items (id, name, amount) VALUES (?, ?, ?)")) {
                    for (int id : new int[] {3001, 1, 3002}) {
                        statement.setInt(1, id);
                        statement.setString(2, "batch " + id);
                        statement.setBigDecimal(3, id == 3002 ? null : new BigDecimal("1.5"));
                        statement.addBatch();
                    }
                    return statement.executeBatch();
                }
            });
            text(prefix + "batch-error-read", connection, "SELECT COUNT(*) FROM items WHERE id > 3000");
            text(prefix + "batch-clean", connection, "DELETE FROM items WHERE id > 3000");
            attempt(prefix + "batch-text", () -> {
                try (Statement statement = connection.createStatement()) {
                    for (String sql : new String[] {"INSERT INTO work (v) VALUES ('a')", "UPDATE work SET v = 'b' WHERE v = 'a'", "DELETE FROM work WHERE v = 'b'"}) statement.addBatch(sql);
                    return statement.executeBatch();
                }
            });
        }
    }

    static void procedures(String prefix, String... options) throws Exception {
        try (Connection connection = connect(options)) {
            for (String procedure : List.of("several_sets", "that_fails", "that_warns")) {
                attempt(prefix + "call-" + procedure, () -> {
                    try (CallableStatement statement = connection.prepareCall("{CALL " + procedure + "()}")) { sayResults(prefix + "call-" + procedure, statement, statement.execute()); }
                    return null;
                });
            }
            attempt(prefix + "call-out", () -> {
                try (CallableStatement statement = connection.prepareCall("{CALL with_out(?, ?, ?)}")) {
                    statement.setInt(1, 21);
                    statement.registerOutParameter(2, Types.INTEGER);
                    statement.registerOutParameter(3, Types.VARCHAR);
                    statement.setString(3, "word");
                    statement.execute();
                    return Arrays.asList(statement.getInt(2), statement.getString(3));
                }
            });
            attempt(prefix + "call-function", () -> {
                try (CallableStatement statement = connection.prepareCall("{? = CALL twice(?)}")) {
                    statement.registerOutParameter(1, Types.INTEGER);
                    statement.setInt(2, 21);
                    statement.execute();
                    return statement.getInt(1);
                }
            });
        }
    }

    static void statements(String prefix, String... options) throws Exception {
        try (Connection connection = connect(options)) {
            attempt(prefix + "re-execute", () -> {
                try (PreparedStatement statement = connection.prepareStatement("SELECT id, name FROM items WHERE id > ? AND id < 1000 ORDER BY id")) {
                    for (Object param : Arrays.asList(0, 2L, "1", null, 2.5)) {
                        statement.setObject(1, param);
                        try (ResultSet rows = statement.executeQuery()) { sayRows(prefix + "re-execute", rows); }
                    }
                    text(prefix + "ddl", connection, "ALTER TABLE items ADD COLUMN extra INT DEFAULT 7");
                    try (ResultSet rows = statement.executeQuery()) { sayRows(prefix + "after-ddl", rows); }
                    text(prefix + "ddl", connection, "ALTER TABLE items DROP COLUMN extra");
                }
                return null;
            });
            attempt(prefix + "fetch-size", () -> {
                try (PreparedStatement statement = connection.prepareStatement("SELECT n, label FROM numbers WHERE n >= ? ORDER BY n")) {
                    statement.setFetchSize(100);
                    statement.setInt(1, 5);
                    long sum = 0;
                    try (ResultSet rows = statement.executeQuery()) {
                        for (int n = 0; n < 1000 && rows.next(); n++) sum += rows.getLong(1);
                        text(prefix + "fetch-size-other", connection, "SELECT 1");
                        while (rows.next()) sum += rows.getLong(1);
                    }
                    return sum;
                }
            });
            attempt(prefix + "typed", () -> {
                try (PreparedStatement statement = connection.prepareStatement("SELECT ?, ?, ?, HEX(?), ?, ?, ?, ?")) {
                    statement.setBoolean(1, true);
                    statement.setBigDecimal(2, new BigDecimal("123.4500"));
                    statement.setString(3, "Grüße 😀");
                    statement.setBytes(4, new byte[] {0, 1, -1});
                    statement.setDate(5, java.sql.Date.valueOf("2024-02-29"));
                    statement.setTime(6, Time.valueOf("10:11:12"));
                    statement.setTimestamp(7, Timestamp.valueOf("2024-01-02 03:04:05.678"));
                    statement.setFloat(8, 1.5f);
                    try (ResultSet rows = statement.executeQuery()) { sayRows(prefix + "typed", rows); }
                }
                return null;
            });
            for (int size : new int[] {1 << 20, 17 << 20}) {
                byte[] body = new byte[size];
                for (int at = 0; at < size; at++) body[at] = (byte) (at % 251);
                attempt(prefix + "big", () -> {
                    try (PreparedStatement statement = connection.prepareStatement("REPLACE INTO big VALUES (?, ?)")) {
                        statement.setInt(1, 1);
                        statement.setBinaryStream(2, new ByteArrayInputStream(body));
                        return statement.executeUpdate();
                    }
                });
                prepared(prefix + "big-read", connection, "SELECT id, body, SHA2(body, 256) FROM big WHERE id = ?", 1);
            }
        }
    }

    static void transactions() throws Exception {
        try (Connection connection = connect()) {
            connection.setAutoCommit(false);
            prepared("tx", connection, "INSERT INTO work (v) VALUES (?)", "tx");
            Savepoint savepoint = connection.setSavepoint("here");
            text("tx", connection, "DELETE FROM work");
            connection.rollback(savepoint);
            text("tx", connection, "SELECT COUNT(*) FROM work WHERE v = 'tx'");
            connection.rollback();
            text("tx-rolled-back", connection, "SELECT COUNT(*) FROM work WHERE v = 'tx'");
            connection.commit();
            connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
            say("isolation", connection.getTransactionIsolation(), one(connection, "SELECT @@transaction_isolation"));
            connection.setReadOnly(true);
            text("read-only", connection, "SELECT COUNT(*) FROM items");
            text("read-only-write", connection, "INSERT INTO work (v) VALUES ('no')");
            connection.rollback();
            connection.setReadOnly(false);
            connection.setAutoCommit(true);
        }
    }

    static void commands() throws Exception {
        try (Connection connection = connect()) {
            say("valid", connection.isValid(2));
            connection.setCatalog("information_schema");
            text("catalog", connection, "SELECT DATABASE()");
            attempt("catalog-unknown", () -> { connection.setCatalog("no_such_schema"); return null; });
            connection.setCatalog(env("DB"));
            DatabaseMetaData meta = connection.getMetaData();
            attempt("meta-tables", () -> { sayRows("meta-tables", meta.getTables(env("DB"), null, "%", null)); return null; });
            attempt("meta-columns", () -> { sayRows("meta-columns", meta.getColumns(env("DB"), null, "items", "%")); return null; });
            attempt("meta-keys", () -> { sayRows("meta-keys", meta.getPrimaryKeys(env("DB"), null, "items")); return null; });
            attempt("meta-indexes", () -> { sayRows("meta-indexes", meta.getImportedKeys(env("DB"), null, "child")); return null; });
            attempt("meta-procedures", () -> { sayRows("meta-procedures", meta.getProcedureColumns(env("DB"), null, "with_out", "%")); return null; });
            connection.setClientInfo("ApplicationName", "matrix");
            attempt("query-timeout", () -> {
                try (Statement statement = connection.createStatement()) { statement.setQueryTimeout(1); statement.execute("SELECT SLEEP(4)"); }
                return null;
            });
            text("query-timeout-usable", connection, "SELECT 1");
            attempt("max-rows", () -> {
                try (Statement statement = connection.createStatement()) { statement.setMaxRows(2); sayRows("max-rows", statement.executeQuery("SELECT id FROM items ORDER BY id")); }
                return null;
            });
            attempt("cancel", () -> {
                try (Statement statement = connection.createStatement()) {
                    Thread thread = new Thread(() -> { try { Thread.sleep(400); statement.cancel(); } catch (Exception error) { say("cancel", String.valueOf(error)); } });
                    thread.start();
                    statement.execute("SELECT SLEEP(4)");
                    sayRows("cancel", statement.getResultSet());
                }
                return null;
            });
            text("cancel-usable", connection, "SELECT 1");
        }
        try (Connection connection = connect("allowMultiQueries=true")) {
            text("multi", connection, "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'");
            text("multi-error", connection, "SELECT 1; SELECT * FROM nowhere; SELECT 2");
            text("multi-usable", connection, "SELECT 1");
        }
        String load = "LOAD DATA LOCAL INFILE '" + env("FILES") + "/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','";
        try (Connection connection = connect("allowLocalInfile=true")) {
            text("infile", connection, load);
            text("infile-rows", connection, "SELECT * FROM loaded ORDER BY id");
            text("infile-missing", connection, load.replace("rows", "none"));
            text("infile-big", connection, load.replace("rows", "big").replace(" INTO", " REPLACE INTO"));
            text("infile-usable", connection, "SELECT COUNT(*) FROM loaded");
        }
        try (Connection connection = connect("allowLocalInfile=false")) { text("infile-not-allowed", connection, load); }
    }

    static void killAndExpiry() throws Exception {
        for (String how : List.of("QUERY", "CONNECTION")) {
            String name = "kill-" + how.toLowerCase();
            Connection victim = connect(), killer = connect();
            Object id = one(victim, "SELECT CONNECTION_ID()");
            Thread thread = new Thread(() -> text(name + "-victim", victim, "SELECT SLEEP(4) AS slept"));
            thread.start();
            Thread.sleep(400);
            text(name, killer, "KILL " + how + " " + id);
            thread.join();
            text(name + "-afterwards", victim, "SELECT 1");
            killer.close();
            victim.close();
        }
        Connection connection = connect();
        text("expiry", connection, "SET SESSION wait_timeout = 1");
        Thread.sleep(2500);
        text("expiry", connection, "SELECT 1");
        text("expiry-again", connection, "SELECT 2");
        say("expiry-valid", connection.isValid(1));
        text("reconnected", connect("autoReconnect=true"), "SELECT 3");
    }

    public static void main(String[] arguments) {
        attempt("logins", () -> { logins(); return null; });
        for (String way : List.of("text", "binary")) {
            String option = "useServerPrepStmts=" + way.equals("binary");
            String prefix = way.equals("binary") ? "binary-" : "";
            attempt(prefix + "cases", () -> { allCases(prefix, way.equals("binary"), option); return null; });
            attempt(prefix + "batches", () -> { batches(prefix, option); return null; });
            attempt(prefix + "rewritten-batches", () -> { batches(prefix + "rewritten-", option, "rewriteBatchedStatements=true"); return null; });
            attempt(prefix + "bulk-batches", () -> { batches(prefix + "bulk-", option, "useBulkStmts=true"); return null; });
            attempt(prefix + "procedures", () -> { procedures(prefix, option); return null; });
            attempt(prefix + "statements", () -> { statements(prefix, option); return null; });
        }
        attempt("transactions", () -> { transactions(); return null; });
        attempt("commands", () -> { commands(); return null; });
        attempt("kill-and-expiry", () -> { killAndExpiry(); return null; });
        System.exit(0);
    }
}
