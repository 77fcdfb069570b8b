/*
** Checks of the C API's contract, in C99 as an application would write it.
**
** Each contract_TOPIC.c holds one function contract_TOPIC() that runs its checks in order and goes
** on after a failure, so that one run tells everything. A line such as
**
**     WANT(QUERN_ERR_MISUSE, quern_drop(NULL, "docs", E));
**
** is a cell of the table "function x misuse -> code". WANT also proves what holds for every call:
** the error struct carries the code that was returned, and a message exactly when the call failed.
**
** The program is confined to one thread; checks with threads or processes start and end them
** themselves.
*/
#ifndef CONTRACT_CHECK_H
#define CONTRACT_CHECK_H

#include <quern.h>

#include <stddef.h>
#include <stdint.h>

/* The error that checked calls fill. */
extern quern_error contract_error;
#define E (&contract_error)

void check_status(const char* file, int line, const char* call, int32_t wanted, int32_t got);
void check_message(const char* file, int line, const char* piece);
void check_true(const char* file, int line, const char* what, int holds);
void check_int(const char* file, int line, const char* what, int64_t wanted, int64_t got);
void check_text(const char* file, int line, const char* what, const char* wanted, const char* got);
/* Names the case in the messages of the checks that follow; NULL for none. */
void check_case(const char* name);

#define WANT(status, call) check_status(__FILE__, __LINE__, #call, (status), (call))
/* The same, and the message contains the piece: it names the thing that was wrong. */
#define WANT_NAMED(status, piece, call) \
    (WANT(status, call), check_message(__FILE__, __LINE__, (piece)))
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition) ? 1 : 0)
#define CHECK_INT(wanted, got) \
    check_int(__FILE__, __LINE__, #got, (int64_t)(wanted), (int64_t)(got))
#define CHECK_TEXT(wanted, got) check_text(__FILE__, __LINE__, #got, (wanted), (got))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- What checks work on ---- */

/* Ends a forked child, and nothing of its parent's. */
void end_child(int code);
/* A path in this run's own directory, which is removed at the end with the files made there. */
const char* scratch_path(const char* name);
void write_file(const char* path, const void* data, size_t size);
/* The file's bytes, to be freed by the caller; *size gets their number. */
unsigned char* read_file(const char* path, size_t* size);

quern_db* open_memory(void);
quern_db* open_file(const char* path, const char* options);
/* Collection `name` with text key "id", attributes n int, r real, t text, b bool, x blob, j json, g
 * tags, and the field v (3 x f32, l2). */
void create_docs(quern_db* db, const char* name);
/* Writes records a, b, c with v = (0,0,0), (1,0,0), (0,2,0) and n = 1, 2, 3. */
void fill_docs(quern_db* db, const char* name);
/* A memory database with the filled collection "docs". */
quern_db* open_docs(void);
/* A batch of one record of this key, nothing else set. */
quern_batch* batch_of_one(quern_db* db, const char* collection, const char* const* key);
uint64_t count_of(quern_db* db, const char* collection);
/* A query for the record nearest to (0,0,0). */
quern_query* query_of_docs(quern_db* db);

/* ---- Topics ---- */

void contract_open(void);
void contract_audit(void);
void contract_files(void);
void contract_filter(void);
void contract_hybrid(void);
void contract_keys(void);
void contract_lists(void);
void contract_compose(void);
void contract_rights(void);
void contract_schema(void);
void contract_batch(void);
void contract_values(void);
void contract_read(void);
void contract_search(void);
void contract_sparse(void);
void contract_text(void);
void contract_result(void);
void contract_txn(void);
void contract_maintenance(void);
void contract_handles(void);
void contract_process(void);

#endif
