// go-sql-driver/mysql: a driver in Go alone, text and binary protocol. See ../README.md.
package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

func env(name string) string { return os.Getenv("MATRIX_" + name) }

func show(value interface{}) string {
	switch v := value.(type) {
	case nil:
		return "nil"
	case []byte:
		if len(v) > 400 {
			return fmt.Sprintf("%d bytes %x", len(v), md5.Sum(v))
		}
		return fmt.Sprintf("%q", v)
	case string:
		return fmt.Sprintf("%q", v)
	case time.Time:
		return v.UTC().Format("Time(2006-01-02 15:04:05.999999)")
	case []interface{}:
		shown := make([]string, len(v))
		for at, item := range v {
			shown[at] = show(item)
		}
		return "[" + strings.Join(shown, ", ") + "]"
	}
	return fmt.Sprintf("%T(%v)", value, value)
}

func say(name string, values ...interface{}) {
	shown := make([]string, len(values))
	for at, value := range values {
		shown[at] = show(value)
	}
	fmt.Printf("%s: %s\n", name, strings.Join(shown, " "))
}

func sayError(name string, err error) bool {
	if err == nil {
		return false
	}
	if e, ok := err.(*mysql.MySQLError); ok {
		say(name, "error", int(e.Number), e.Message)
	} else {
		say(name, "error", fmt.Sprintf("%T", err), err.Error())
	}
	return true
}

func config(change func(*mysql.Config)) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.DBName = env("USER"), env("PASSWORD"), "tcp", env("DB")
	c.Addr = env("HOST") + ":" + env("PORT")
	c.MaxAllowedPacket = 256 << 20
	c.Params = map[string]string{"charset": "utf8mb4"}
	if change != nil {
		change(c)
	}
	return c
}

// One connection, so that a session stays one.
func open(change func(*mysql.Config)) *sql.DB {
	db, err := sql.Open("mysql", config(change).FormatDSN())
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func sayRows(name string, rows *sql.Rows, err error) {
	if sayError(name, err) {
		return
	}
	defer rows.Close()
	for {
		types, err := rows.ColumnTypes()
		sayError(name, err)
		for _, t := range types {
			length, hasLength := t.Length()
			precision, scale, hasScale := t.DecimalSize()
			nullable, _ := t.Nullable()
			say(name, "column", t.Name(), t.DatabaseTypeName(), fmt.Sprint(t.ScanType(), length, hasLength, precision, scale, hasScale, nullable))
		}
		for rows.Next() {
			row := make([]interface{}, len(types))
			targets := make([]interface{}, len(types))
			for at := range row {
				targets[at] = &row[at]
			}
			if !sayError(name, rows.Scan(targets...)) {
				say(name, row)
			}
		}
		sayError(name, rows.Err())
		if !rows.NextResultSet() {
			break
		}
	}
	sayError(name, rows.Err())
}

func query(name string, db *sql.DB, text string, params ...interface{}) {
	rows, err := db.Query(text, params...)
	sayRows(name, rows, err)
}

func exec(name string, db *sql.DB, text string, params ...interface{}) {
	result, err := db.Exec(text, params...)
	if sayError(name, err) {
		return
	}
	id, _ := result.LastInsertId()
	affected, _ := result.RowsAffected()
	say(name, "id", id, "affected", affected)
}

// Statements that return no rows are told from others by their first word, as an application would.
func run(name string, db *sql.DB, text string, params ...interface{}) {
	for _, word := range []string{"INSERT", "UPDATE", "DELETE", "REPLACE", "SET", "BEGIN", "COMMIT", "ROLLBACK", "CREATE", "DROP", "ALTER"} {
		if strings.HasPrefix(text, word) && !strings.Contains(text, "RETURNING") {
			exec(name, db, text, params...)
			return
		}
	}
	query(name, db, text, params...)
}

func parameter(text string) interface{} {
	value := text[2:]
	switch text[0] {
	case 'i':
		n, _ := strconv.ParseInt(value, 10, 64)
		return n
	case 'd':
		f, _ := strconv.ParseFloat(value, 64)
		return f
	case 'x':
		b, _ := hex.DecodeString(value)
		return b
	case 'n':
		return nil
	}
	return value
}

func allCases(prefix string, change func(*mysql.Config), isBinary bool) {
	db := open(change)
	defer db.Close()
	file, err := os.Open(env("CASES"))
	if err != nil {
		panic(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		parts := strings.Split(lines.Text(), "\t")
		name := prefix + parts[1]
		if parts[0] == "text" && isBinary {
			statement, err := db.Prepare(parts[2])
			if sayError(name, err) {
				continue
			}
			rows, err := statement.Query()
			sayRows(name, rows, err)
			statement.Close()
			continue
		}
		params := []interface{}{}
		for _, text := range parts[3:] {
			params = append(params, parameter(text))
		}
		run(name, db, parts[2], params...)
	}
}

func logins() {
	pool := x509.NewCertPool()
	pem, _ := os.ReadFile(env("CA"))
	pool.AppendCertsFromPEM(pem)
	mysql.RegisterTLSConfig("matrix", &tls.Config{RootCAs: pool, ServerName: "localhost"})
	variants := map[string]func(*mysql.Config){
		"login-tcp":            nil,
		"login-tls":            func(c *mysql.Config) { c.TLSConfig = "matrix" },
		"login-tls-unverified": func(c *mysql.Config) { c.TLSConfig = "skip-verify" },
		"login-socket":         func(c *mysql.Config) { c.Net, c.Addr = "unix", env("SOCKET") },
		"login-no-schema":      func(c *mysql.Config) { c.DBName = "" },
		"login-wrong-password": func(c *mysql.Config) { c.Passwd = "wrong" },
		"login-no-password":    func(c *mysql.Config) { c.Passwd = "" },
		"login-unknown-user":   func(c *mysql.Config) { c.User = "matrix_nobody" },
		"login-unknown-schema": func(c *mysql.Config) { c.DBName = "no_such_schema" },
		"login-denied-schema":  func(c *mysql.Config) { c.DBName = "mysql" },
		"login-collation":      func(c *mysql.Config) { c.Params = nil; c.Collation = "utf8mb4_unicode_ci" },
		"login-latin1":         func(c *mysql.Config) { c.Params = nil; c.Collation = "latin1_swedish_ci" },
		"login-found-rows":     func(c *mysql.Config) { c.ClientFoundRows = true },
		"login-variables":      func(c *mysql.Config) { c.Params["wait_timeout"] = "4321"; c.Params["sql_mode"] = "'ANSI'" },
		"login-cleartext":      func(c *mysql.Config) { c.AllowCleartextPasswords = true },
	}
	names := []string{}
	for name := range variants {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		db := open(variants[name])
		query(name, db, "SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @@sql_mode, @@wait_timeout")
		exec(name+"-same", db, "UPDATE items SET name = 'one' WHERE id = 1")
		db.Close()
	}
}

func statements(prefix string, change func(*mysql.Config)) {
	db := open(change)
	defer db.Close()
	statement, err := db.Prepare("SELECT id, name FROM items WHERE id > ? ORDER BY id")
	if !sayError(prefix+"statement", err) {
		for _, param := range []interface{}{0, int64(2), "1", nil, 2.5} {
			rows, err := statement.Query(param)
			sayRows(prefix+"statement", rows, err)
		}
		exec(prefix+"ddl", db, "ALTER TABLE items ADD COLUMN extra INT DEFAULT 7")
		rows, err := statement.Query(0)
		sayRows(prefix+"after-ddl", rows, err)
		exec(prefix+"ddl", db, "ALTER TABLE items DROP COLUMN extra")
		statement.Close()
	}
	query(prefix+"typed", db, "SELECT ? a, ? b, ? c, HEX(?) d, ? e, ? f", true, 12, "Grüße 😀", []byte{0, 1, 255}, time.Date(2024, 1, 2, 3, 4, 5, 678000000, time.UTC), uint64(18446744073709551615))
	for _, size := range []int{1 << 20, 1<<24 - 40, 17 << 20} {
		body := make([]byte, size)
		for at := range body {
			body[at] = byte(at % 251)
		}
		exec(prefix+"big", db, "REPLACE INTO big VALUES (?, ?)", 1, body)
		query(prefix+"big", db, "SELECT id, body, SHA2(body, 256) FROM big WHERE id = ?", 1)
	}
	// An error behind a result set keeps this version of the driver waiting for more.
	for _, procedure := range []string{"several_sets", "that_warns"} {
		query(prefix+"call-"+procedure, db, "CALL "+procedure+"()")
		query(prefix+"call-"+procedure+"-warnings", db, "SHOW WARNINGS")
	}
	exec(prefix+"call-writes", db, "CALL that_writes(?)", "go")
	query(prefix+"call-wrote", db, "SELECT COUNT(*) FROM work WHERE v LIKE 'go%'")
}

func transactions() {
	db := open(nil)
	defer db.Close()
	for name, options := range map[string]*sql.TxOptions{"tx": nil, "tx-read-only": {ReadOnly: true}, "tx-serializable": {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(context.Background(), options)
		if sayError(name, err) {
			continue
		}
		_, err = tx.Exec("INSERT INTO work (v) VALUES (?)", name)
		sayError(name, err)
		var count, level string
		sayError(name, tx.QueryRow("SELECT COUNT(*), @@transaction_isolation FROM work WHERE v = ?", name).Scan(&count, &level))
		say(name, count, level)
		sayError(name, tx.Rollback())
		query(name+"-gone", db, "SELECT COUNT(*) FROM work WHERE v = ?", name)
		tx, _ = db.Begin()
		tx.Exec("INSERT INTO work (v) VALUES (?)", name)
		sayError(name, tx.Commit())
		query(name+"-committed", db, "SELECT COUNT(*) FROM work WHERE v = ?", name)
	}
}

func others() {
	db := open(func(c *mysql.Config) { c.MultiStatements = true })
	query("multi", db, "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); SELECT 4")
	exec("multi-exec", db, "SET @a = 1; UPDATE work SET v = 'n' WHERE v = 'm'")
	query("multi-usable", db, "SELECT @a")
	db.Close()
	db = open(nil)
	query("multi-refused", db, "SELECT 1; SELECT 2")
	mysql.RegisterLocalFile(env("FILES") + "/rows.csv")
	mysql.RegisterLocalFile(env("FILES") + "/big.csv")
	load := "LOAD DATA LOCAL INFILE '" + env("FILES") + "/rows.csv' REPLACE INTO TABLE loaded FIELDS TERMINATED BY ','"
	exec("infile", db, load)
	query("infile-rows", db, "SELECT * FROM loaded ORDER BY id")
	exec("infile-big", db, strings.Replace(load, "rows", "big", 1))
	exec("infile-not-allowed", db, strings.Replace(load, "rows", "empty", 1))
	query("infile-usable", db, "SELECT COUNT(*) FROM loaded")
	sayError("ping", db.Ping())
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	_, err := db.ExecContext(ctx, "DO SLEEP(3)")
	sayError("timeout", err)
	cancel()
	query("timeout-usable", db, "SELECT 1")
	exec("expiry", db, "SET SESSION wait_timeout = 1")
	time.Sleep(2500 * time.Millisecond)
	query("expiry", db, "SELECT 1")
	query("expiry-renewed", db, "SELECT @@session.wait_timeout > 1")
	db.Close()
	victim, killer := open(nil), open(nil)
	var id int
	sayError("kill", victim.QueryRow("SELECT CONNECTION_ID()").Scan(&id))
	for _, how := range []string{"QUERY", "CONNECTION"} {
		name := "kill-" + strings.ToLower(how)
		done := make(chan bool)
		go func() { query(name+"-victim", victim, "SELECT SLEEP(4) AS slept"); done <- true }()
		time.Sleep(400 * time.Millisecond)
		exec(name, killer, fmt.Sprintf("KILL %s %d", how, id))
		<-done
		query(name+"-afterwards", victim, "SELECT 1")
	}
	pool, _ := sql.Open("mysql", config(nil).FormatDSN())
	pool.SetMaxOpenConns(8)
	results := make(chan int)
	for n := 0; n < 100; n++ {
		go func(n int) {
			var found int
			if sayError("pool", pool.QueryRow("SELECT ? + 1", n).Scan(&found)) {
				found = -1
			}
			results <- found
		}(n)
	}
	sum := 0
	for n := 0; n < 100; n++ {
		sum += <-results
	}
	say("pool", sum)
}

func main() {
	interpolated := func(c *mysql.Config) { c.InterpolateParams = true }
	logins()
	allCases("", interpolated, false)
	allCases("binary-", nil, true)
	statements("", interpolated)
	statements("binary-", nil)
	allCases("time-", func(c *mysql.Config) { c.ParseTime = true; c.ColumnsWithAlias = true }, false)
	transactions()
	others()
}
