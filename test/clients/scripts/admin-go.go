// go-sql-driver on the admin port: a line of JSON for each statement, answered by a line of JSON (see ScriptClient).
// With ADMIN_INTERPOLATE=1 the driver writes values into the text, as orchestrator and exporters have it; else it prepares.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
)

type request struct {
	SQL    string        `json:"sql"`
	Values []interface{} `json:"values"`
}

type answer struct {
	Columns    []string    `json:"columns,omitempty"`
	OtherTypes []string    `json:"otherTypes"`
	Rows       [][]*string `json:"rows"`
	Affected   *int64      `json:"affected,omitempty"`
	InsertID   *int64      `json:"insertId,omitempty"`
	Error      int         `json:"error"`
	Message    string      `json:"message"`
}

func failure(err error) answer {
	if e, ok := err.(*mysql.MySQLError); ok {
		return answer{Rows: [][]*string{}, OtherTypes: []string{}, Error: int(e.Number), Message: e.Message}
	}
	panic(err)
}

func query(rows *sql.Rows, err error) answer {
	if err != nil {
		return failure(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		panic(err)
	}
	got := answer{Rows: [][]*string{}, OtherTypes: []string{}}
	for _, column := range types {
		got.Columns = append(got.Columns, column.Name())
		if column.DatabaseTypeName() != "VARCHAR" {
			got.OtherTypes = append(got.OtherTypes, column.DatabaseTypeName())
		}
	}
	for rows.Next() {
		cells := make([]*string, len(types))
		places := make([]interface{}, len(types))
		for at := range cells {
			places[at] = &cells[at]
		}
		if err := rows.Scan(places...); err != nil {
			panic(err)
		}
		got.Rows = append(got.Rows, cells)
	}
	if err := rows.Err(); err != nil {
		return failure(err)
	}
	return got
}

func exec(result sql.Result, err error) answer {
	if err != nil {
		return failure(err)
	}
	affected, _ := result.RowsAffected()
	id, _ := result.LastInsertId()
	return answer{Rows: [][]*string{}, OtherTypes: []string{}, Affected: &affected, InsertID: &id}
}

func inText(db *sql.Conn, r request) answer {
	if returnsRows(r.SQL) {
		return query(db.QueryContext(context.Background(), r.SQL, r.Values...))
	}
	return exec(db.ExecContext(context.Background(), r.SQL, r.Values...))
}

// Prepared also where there are no values: database/sql by itself would send those as text.
func prepared(db *sql.Conn, r request) answer {
	statement, err := db.PrepareContext(context.Background(), r.SQL)
	if err != nil {
		return failure(err)
	}
	defer statement.Close()
	if returnsRows(r.SQL) {
		return query(statement.Query(r.Values...))
	}
	return exec(statement.Exec(r.Values...))
}

func returnsRows(text string) bool {
	switch strings.ToUpper(strings.Fields(text)[0]) {
	case "SELECT", "SHOW", "CHECKSUM", "WITH", "VALUES":
		return true
	}
	return false
}

func main() {
	interpolate := os.Getenv("ADMIN_INTERPOLATE") == "1"
	dsn := fmt.Sprintf("%s:%s@tcp(127.0.0.1:%s)/?interpolateParams=%t&timeout=30s", os.Getenv("ADMIN_USER"),
		os.Getenv("ADMIN_PASSWORD"), os.Getenv("ADMIN_PORT"), interpolate)
	pool, err := sql.Open("mysql", dsn)
	if err != nil {
		panic(err)
	}
	db, err := pool.Conn(context.Background())
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		for at, value := range r.Values {
			if number, ok := value.(float64); ok && number == math.Trunc(number) {
				r.Values[at] = int64(number)
			}
		}
		run := prepared
		if interpolate {
			run = inText
		}
		text, err := json.Marshal(run(db, r))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}
