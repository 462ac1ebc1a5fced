/**
 * Names of built-in functions, as facts about the servers: MySQL 8.0 to 9.7 and MariaDB 10.11 to 11.8 were asked, name by
 * name, whether `SELECT name(...)` is known. Functions of plugins, components and UDFs are not here: for the server they
 * are loadable, for the classifier unknown. Functions with effects stand in function-effects.ts as well.
 *
 * "Native" functions (sql/item_create.cc) are ordinary names to the grammar; "grammar" functions (sql/sql_yacc.yy) have
 * keywords of their own, so that their name in quotes means a stored function.
 */

/** Native functions of both flavours. */
export const NATIVE_BOTH = `
  abs acos addtime aes_decrypt aes_encrypt asin atan atan2 benchmark bin bit_count bit_length ceil ceiling char_length
  character_length coercibility compress concat concat_ws connection_id conv convert_tz cos cot crc32 date_format
  datediff dayname dayofmonth dayofweek dayofyear degrees elt exp export_set extractvalue field find_in_set floor
  format_bytes format_pico_time found_rows from_base64 from_days from_unixtime get_lock greatest hex ifnull
  inet6_aton inet6_ntoa inet_aton inet_ntoa instr is_free_lock is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6
  is_used_lock isnull json_array json_array_append json_array_insert json_contains json_contains_path json_depth
  json_extract json_insert json_keys json_length json_merge json_merge_patch json_merge_preserve json_object
  json_overlaps json_pretty json_quote json_remove json_replace json_schema_valid json_search json_set json_type
  json_unquote json_valid last_day last_insert_id lcase least length ln load_file locate log log10 log2 lower lpad
  ltrim make_set makedate maketime master_pos_wait mbrcontains mbrdisjoint mbrequals mbrintersects mbroverlaps
  mbrtouches mbrwithin md5 monthname name_const nullif oct octet_length ord period_add period_diff pi pow power quote
  radians rand random_bytes regexp_instr regexp_replace regexp_substr release_all_locks release_lock reverse round
  rpad rtrim sec_to_time sha sha1 sha2 sign sin sleep soundex space sqrt st_area st_asbinary st_asgeojson st_astext
  st_aswkb st_aswkt st_buffer st_centroid st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint
  st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geomcollfromtext
  st_geomcollfromwkb st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext
  st_geometryfromwkb st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_interiorringn
  st_intersection st_intersects st_isclosed st_isempty st_issimple st_length st_linefromtext st_linefromwkb
  st_linestringfromtext st_linestringfromwkb st_mlinefromtext st_mlinefromwkb st_mpointfromtext st_mpointfromwkb
  st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb st_multipointfromtext
  st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries st_numinteriorrings
  st_numpoints st_overlaps st_pointfromtext st_pointfromwkb st_pointn st_polyfromtext st_polyfromwkb
  st_polygonfromtext st_polygonfromwkb st_srid st_startpoint st_symdifference st_touches st_union st_within st_x st_y
  str_to_date strcmp substring_index subtime tan time_format time_to_sec timediff to_base64 to_days to_seconds ucase
  uncompress uncompressed_length unhex unix_timestamp updatexml upper uuid uuid_short version weekday weekofyear
  yearweek
`

/** Native functions of MySQL alone. */
export const NATIVE_MYSQL = `
  any_value bin_to_uuid current_role current_role_in current_user_in etag from_vector gtid_subset gtid_subtract
  icu_version is_uuid json_schema_validation_report json_storage_free json_storage_size mbrcoveredby mbrcovers
  ps_current_thread_id ps_thread_id regexp_like roles_graphml source_pos_wait st_buffer_strategy st_frechetdistance
  st_geohash st_geomcollfromtxt st_hausdorffdistance st_isvalid st_latfromgeohash st_latitude st_lineinterpolatepoint
  st_lineinterpolatepoints st_longfromgeohash st_longitude st_makeenvelope st_numinteriorring st_pointatdistance
  st_pointfromgeohash st_simplify st_swapxy st_transform st_validate statement_digest statement_digest_text
  string_to_vector to_vector uuid_to_bin validate_password_strength vector_dim vector_to_string
  wait_for_executed_gtid_set wait_until_sql_thread_after_gtids
`

/** Native functions of MariaDB alone. */
export const NATIVE_MARIADB = `
  add_months area asbinary astext aswkb aswkt binlog_gtid_pos boundary buffer centroid chr coalesce collation
  column_check column_exists column_json column_list concat_operator_oracle contains convexhull crc32c crosses
  database decode decode_histogram decode_oracle des_decrypt des_encrypt dimension disjoint encode encrypt endpoint
  envelope equals exteriorring format geomcollfromtext geomcollfromwkb geometrycollection geometrycollectionfromtext
  geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype geomfromtext geomfromwkb glength
  interiorringn intersects isclosed isempty isring issimple json_array_intersect json_compact json_detailed
  json_equals json_exists json_key_value json_loose json_normalize json_object_filter_keys json_object_to_array
  json_query json_value kdf lengthb linefromtext linefromwkb linestring linestringfromtext linestringfromwkb
  lpad_oracle ltrim_oracle master_gtid_wait mbrequal microsecond mlinefromtext mlinefromwkb mod mpointfromtext
  mpointfromwkb mpolyfromtext mpolyfromwkb multilinestring multilinestringfromtext multilinestringfromwkb multipoint
  multipointfromtext multipointfromwkb multipolygon multipolygonfromtext multipolygonfromwkb natural_sort_key
  numgeometries numinteriorrings numpoints nvl nvl2 old_password overlaps password point pointfromtext pointfromwkb pointn
  pointonsurface polyfromtext polyfromwkb polygon polygonfromtext polygonfromwkb quarter replace_oracle row_count
  rpad_oracle rtrim_oracle schema sformat srid st_boundary st_isring st_pointonsurface st_relate startpoint
  substr_oracle sys_guid to_char touches uuid_v4 uuid_v7 vec_distance vec_distance_cosine vec_distance_euclidean
  vec_fromtext vec_totext week within wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid
`

/** Grammar functions of both. */
export const GRAMMAR_BOTH = `
  adddate ascii avg bit_and bit_or bit_xor cast char charset convert count cume_dist curdate current_date current_time
  current_timestamp current_user curtime date date_add date_sub day default dense_rank extract first_value get_format
  group_concat hour if insert interval json_arrayagg json_objectagg json_table lag last_value lead left localtime
  localtimestamp match max mid min minute month now nth_value ntile percent_rank position rank repeat replace right
  row_number second session_user std stddev stddev_pop stddev_samp subdate substr substring sum sysdate system_user
  time timestamp timestampadd timestampdiff trim truncate user utc_date utc_time utc_timestamp values var_pop
  var_samp variance weight_string year
`

/** Grammar functions of MySQL alone. */
export const GRAMMAR_MYSQL = `
  coalesce collation database format geomcollection geometrycollection grouping json_duality_object json_value
  linestring microsecond mod multilinestring multipoint multipolygon point polygon quarter row_count schema
  st_collect week
`

/** Grammar functions of MariaDB alone. */
export const GRAMMAR_MARIADB = `
  column_add column_create column_delete column_get current_role lastval median nextval percentile_cont
  percentile_disc rownum setval trim_oracle value
`
