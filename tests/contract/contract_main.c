/* Runs the topics named on the command line, or all of them: quern_contract [TOPIC]... */
#define _XOPEN_SOURCE 700
#include "contract_check.h"

#include <stdio.h>
#include <string.h>

quern_error contract_error = QUERN_ERROR_INIT;

static const char* case_name;
static int check_count;
static int failure_count;

void check_case(const char* name) {
    case_name = name;
}

static void fail(const char* file, int line) {
    failure_count++;
    printf("%s:%d: ", file, line);
    if (case_name != NULL) {
        printf("[%s] ", case_name);
    }
}

void check_status(const char* file, int line, const char* call, int32_t wanted, int32_t got) {
    check_count++;
    if (wanted != got) {
        fail(file, line);
        printf("%s gave %s (%s), wanted %s\n", call, quern_status_name(got), contract_error.message,
               quern_status_name(wanted));
    } else if (contract_error.status != got) {
        fail(file, line);
        printf("%s returned %s, but its error struct says %s\n", call, quern_status_name(got),
               quern_status_name(contract_error.status));
    } else if ((got == QUERN_OK) != (contract_error.message[0] == '\0')) {
        fail(file, line);
        printf("%s returned %s with the message '%s'\n", call, quern_status_name(got),
               contract_error.message);
    }
}

void check_message(const char* file, int line, const char* piece) {
    check_count++;
    if (strstr(contract_error.message, piece) == NULL) {
        fail(file, line);
        printf("the message '%s' does not name '%s'\n", contract_error.message, piece);
    }
}

void check_true(const char* file, int line, const char* what, int holds) {
    check_count++;
    if (!holds) {
        fail(file, line);
        printf("%s does not hold\n", what);
    }
}

void check_int(const char* file, int line, const char* what, int64_t wanted, int64_t got) {
    check_count++;
    if (wanted != got) {
        fail(file, line);
        printf("%s is %lld, wanted %lld\n", what, (long long)got, (long long)wanted);
    }
}

void check_text(const char* file, int line, const char* what, const char* wanted, const char* got) {
    check_count++;
    if (got == NULL || strcmp(wanted, got) != 0) {
        fail(file, line);
        printf("%s is '%s', wanted '%s'\n", what, got == NULL ? "(null)" : got, wanted);
    }
}

static const struct {
    const char* name;
    void (*run)(void);
} topics[] = {
    {"open", contract_open},
    {"files", contract_files},
    {"rights", contract_rights},
    {"schema", contract_schema},
    {"batch", contract_batch},
    {"values", contract_values},
    {"read", contract_read},
    {"search", contract_search},
    {"sparse", contract_sparse},
    {"text", contract_text},
    {"result", contract_result},
    {"txn", contract_txn},
    {"maintenance", contract_maintenance},
    {"handles", contract_handles},
    {"process", contract_process},
    {"filter", contract_filter},
    {"keys", contract_keys},
    {"lists", contract_lists},
    {"hybrid", contract_hybrid},
    {"audit", contract_audit},
    {"compose", contract_compose},
};

int main(int argc, char** argv) {
    size_t t;
    int a;
    int ran = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (t = 0; t < COUNT_OF(topics); t++) {
        int wanted = argc == 1;
        for (a = 1; a < argc; a++) {
            wanted = wanted || strcmp(argv[a], topics[t].name) == 0;
        }
        if (wanted) {
            topics[t].run();
            check_case(NULL);
            ran++;
        }
    }
    if (ran == 0) {
        printf("no such topic\n");
        return 2;
    }
    printf("%d checks, %d failed\n", check_count, failure_count);
    return failure_count == 0 ? 0 : 1;
}
