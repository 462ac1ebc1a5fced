"""PyMySQL on the admin port: a line of JSON for each statement, answered by a line of JSON (see ScriptClient)."""
import json
import os
import sys
import pymysql

VAR_STRING = 253

# As Ansible's modules connect.
connection = pymysql.connect(host='127.0.0.1', port=int(os.environ['ADMIN_PORT']), user=os.environ['ADMIN_USER'],
                             passwd=os.environ['ADMIN_PASSWORD'], connect_timeout=30, autocommit=False)


def run(sql, values):
    cursor = connection.cursor()
    try:
        if values:
            cursor.execute(sql.replace('%', '%%').replace('?', '%s'), values)
        else:
            cursor.execute(sql)
    except pymysql.MySQLError as error:
        return {'rows': [], 'error': error.args[0], 'message': str(error.args[1])}
    if cursor.description is None:
        return {'rows': [], 'affected': cursor.rowcount, 'insertId': cursor.lastrowid, 'error': 0, 'message': ''}
    return {'columns': [column[0] for column in cursor.description],
            'otherTypes': [str(column[1]) for column in cursor.description if column[1] != VAR_STRING],
            'rows': cursor.fetchall(), 'error': 0, 'message': ''}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(run(request['sql'], request['values'])), flush=True)
