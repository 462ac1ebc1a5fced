import { EFFECT_WITHOUT_PARENTHESES, FUNCTION_EFFECT_ROW } from './function-effects.js'
import {
  GRAMMAR_BOTH,
  GRAMMAR_MARIADB,
  GRAMMAR_MYSQL,
  NATIVE_BOTH,
  NATIVE_MARIADB,
  NATIVE_MYSQL,
} from './function-names.js'
import { K } from './keywords.js'
import {
  FUNCTION_EFFECT_SHIFT,
  FUNCTION_MARIADB,
  FUNCTION_MYSQL,
  GRAMMAR_FUNCTION,
  NO_BLANK_BEFORE_PAREN,
  NOT_CALL_MARIADB,
  NOT_CALL_MYSQL,
  WORD_EFFECT,
  WordTable,
} from './words.js'

/** Words that both flavours refuse as the name of a function: `word (` is some other syntax there. */
const NEVER_A_CALL = `
  accessible add all alter analyze and any as asc before between bigint binary bit blob bool boolean both by call cascade
  case change char character check collate column condition constraint continue create cross cursor datetime day_hour
  day_microsecond day_minute day_second dec decimal declare delayed delete desc describe deterministic distinct
  distinctrow div do double drop dual each else elseif enclosed end enum escaped except execute exists exit explain false
  fetch fixed float float4 float8 for force foreign from fulltext grant group having high_priority hour_microsecond
  hour_minute hour_second ignore in index infile inner inout insensitive int int1 int2 int3 int4 int8 integer intersect
  into is iterate join key keys kill leading leave like limit linear lines load lock long longblob longtext loop
  low_priority match maxvalue mediumblob mediumint mediumtext middleint minute_microsecond minute_second modifies national
  natural nchar not no_write_to_binlog null numeric nvarchar offset on optimize optionally or order out outer outfile over
  partition precision primary procedure purge range read reads read_write real recursive references regexp release rename
  require resignal restrict return returning revoke rlike rows second_microsecond select sensitive separator set show
  signal signed smallint some soname sounds spatial specific sql sqlexception sqlstate sqlwarning sql_big_result
  sql_buffer_result sql_calc_found_rows sql_no_cache sql_small_result ssl starting straight_join table terminated then
  tinyblob tinyint tinytext to trailing trigger true undo union unique unlock unsigned update usage use using values
  varbinary varchar varcharacter varying when where while window with write xor year_month zerofill`

/**
 * MySQL takes no keyword for a function's name unless it is one; these are those that a query can have before `(`. DEFAULT(column)
 * does nothing there but read.
 */
const NEVER_A_CALL_MYSQL =
  'against columns cube default escape groups lateral nested of qualify row rollup sets text value'

/** MINUS is a keyword in MariaDB's Oracle mode alone. */
const NEVER_A_CALL_MARIADB = 'minus sql_cache'

/** See "Function Name Parsing and Resolution" in the reference manuals. */
const BLANK_MATTERS = `
  adddate bit_and bit_or bit_xor cast count curdate curtime date_add date_sub extract group_concat json_arrayagg
  json_objectagg max mid min now position session_user st_collect std stddev stddev_pop stddev_samp subdate substr
  substring sum sysdate system_user trim variance var_pop var_samp`

function addAll(words: string, bits: number): void {
  for (const word of words.split(/\s+/)) if (word !== '') VOCABULARY.add(word, bits)
}

/** Every word that means something to the classifier. */
export const VOCABULARY = new WordTable()

for (const [word, number] of Object.entries(K)) VOCABULARY.add(word, number)
addAll(NEVER_A_CALL, NOT_CALL_MYSQL | NOT_CALL_MARIADB)
addAll(NEVER_A_CALL_MYSQL, NOT_CALL_MYSQL)
addAll(NEVER_A_CALL_MARIADB, NOT_CALL_MARIADB)
addAll(NATIVE_BOTH, FUNCTION_MYSQL | FUNCTION_MARIADB)
addAll(NATIVE_MYSQL, FUNCTION_MYSQL)
addAll(NATIVE_MARIADB, FUNCTION_MARIADB)
addAll(GRAMMAR_BOTH, FUNCTION_MYSQL | FUNCTION_MARIADB | GRAMMAR_FUNCTION)
addAll(GRAMMAR_MYSQL, FUNCTION_MYSQL | GRAMMAR_FUNCTION)
addAll(GRAMMAR_MARIADB, FUNCTION_MARIADB | GRAMMAR_FUNCTION)
addAll(BLANK_MATTERS, NO_BLANK_BEFORE_PAREN)
for (const [name, row] of FUNCTION_EFFECT_ROW) VOCABULARY.add(name, row << FUNCTION_EFFECT_SHIFT)
addAll(EFFECT_WITHOUT_PARENTHESES, WORD_EFFECT)
