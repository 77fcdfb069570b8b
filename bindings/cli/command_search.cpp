// quern search: its options.
#include <CLI/CLI.hpp>

#include "file_format.h"
#include "search_run.h"
#include "shell.h"

namespace quern::shell {
namespace {

// An empty option would mean that it was not given.
CLI::Validator NotEmpty() {
    return CLI::Validator(
        [](const std::string& value) { return std::string(value.empty() ? "it is empty" : ""); },
        "");
}

}  // namespace

void AddSearchCommand(CLI::App* app) {
    auto options = std::make_shared<SearchOptions>();
    CLI::App* command = app->add_subcommand("search", "Find the nearest records");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option("-f,--field", options->queries.column,
                        "The vector field (not needed when there is one only)");
    command
        ->add_option("-q,--queries", options->queries.path,
                     "A file of query vectors, any import format; - for standard input")
        ->type_name("FILE");
    command->add_option("--format", options->queries.format,
                        std::string("The format of the queries: ") + FormatNames());
    command
        ->add_option("--key", options->keys,
                     "Search by the vector of this stored record (repeatable)")
        ->type_name("KEY")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--text", options->texts,
            "Search a text field: 'words \"a phrase\" begin* +must -not'; or a sparse field that "
            "has token weights: 'words' (repeatable)")
        ->type_name("QUERY")
        ->allow_extra_args(false);
    command->add_flag("--snippets", options->snippets,
                      "With --text: show the piece of each text that the query is in, **marked**");
    command
        ->add_option("--vector", options->vector,
                     "Search by this vector: '[0.1, 0.2, ...]', or sparse "
                     "'{\"dims\":[3,9],\"weights\":[1,0.5]}'")
        ->type_name("JSON");
    command
        ->add_option("--vocabulary", options->vocabulary,
                     "With a sparse --vector whose entries are terms, '{\"whale\":1.5}': the file "
                     "that import has given them dimensions by")
        ->type_name("FILE");
    command
        ->add_option("--dimension", options->dimension,
                     "Find the records that are heaviest in this dimension of a sparse field")
        ->type_name("N")
        ->check(CLI::Range(int64_t{0}, int64_t{4294967295}));
    command
        ->add_option("--plus", options->plus,
                     "Search by the sum of the vectors of these records (repeatable)")
        ->type_name("KEY")
        ->allow_extra_args(false);
    command
        ->add_option("--minus", options->minus,
                     "With --plus: less the vectors of these (repeatable)")
        ->type_name("KEY")
        ->allow_extra_args(false);
    command
        ->add_option("--leg", options->legs,
                     "One of the searches that are fused: '[WEIGHT*]FIELD[ OPTION=VALUE]...:WHAT' "
                     "(repeatable)")
        ->type_name("LEG")
        ->allow_extra_args(false);
    command
        ->add_option("--fusion", options->fusion,
                     "How legs are fused: 'kind=sum|max|rrf|best normalize=none|minmax|zscore|"
                     "distribution rrf_k=X', or 'stored=NAME'")
        ->type_name("OPTIONS");
    command
        ->add_option("--formula", options->formula,
                     "Instead of --fusion, what makes the score of legs and attributes: '0.7*emb + "
                     "0.3*l1 + 0.1*exp(-age/30)'")
        ->type_name("FORMULA");
    command
        ->add_option("--feedback", options->feedback,
                     "Search again with what the first records say: 'kind=average|rocchio docs=N "
                     "alpha=X beta=X leg=N before=X after=X'")
        ->type_name("OPTIONS");
    command
        ->add_option("--candidates", options->candidates,
                     "Search only among what this search finds, written as a leg; of several, each "
                     "among those of the one before (repeatable)")
        ->type_name("LEG")
        ->allow_extra_args(false);
    command
        ->add_option(
            "-k", options->k,
            "Records a query (default 10; 0 with --max-distance, --min-score or --candidates: all)")
        ->check(CLI::Range(0, 1048576));
    command
        ->add_option("--max-distance", options->max_distance,
                     "Only records at this distance or nearer")
        ->each([options](const std::string&) { options->with_max_distance = true; });
    command
        ->add_option("--min-score", options->min_score,
                     "Only records of this score or a higher one")
        ->each([options](const std::string&) { options->with_min_score = true; });
    AddWhereOption(command, &options->where);
    AddKeyFileOptions(command, &options->key_files);
    command->add_option("--offset", options->offset, "Pass over the first N records, or groups")
        ->check(CLI::Range(0, 1048576));
    command
        ->add_option("-o,--order", options->order,
                     "Print the records found by attributes: 'year desc, title nulls first' "
                     "(default: the best first)")
        ->type_name("ORDER");
    command
        ->add_option("--after", options->after,
                     "Go on behind the last record of a search for the same, which has told this "
                     "bookmark")
        ->type_name("BOOKMARK");
    command->add_flag("--bookmark", options->bookmark,
                      "Of one query: tell the bookmark for --after (--json tells it anyway)");
    command
        ->add_option("--group", options->group,
                     "Group the records by this attribute; -k then counts groups")
        ->type_name("ATTRIBUTE");
    command
        ->add_option("--per-group", options->per_group, "With --group: records a group (default 1)")
        ->check(CLI::Range(1, 10000));
    command
        ->add_option("--diversify", options->diversify,
                     "Diverse records, by their vectors in a dense field: 'FIELD duplicates=X "
                     "lambda=X pool=N scale=minmax|none'")
        ->type_name("OPTIONS");
    command->add_option("-c,--columns", options->columns,
                        "Attributes and fields to print: a,b,c or *");
    command
        ->add_option("--truth", options->truth,
                     "Ground truth (ivecs, ibin): print recall@k, queries/s and latencies")
        ->type_name("FILE");
    command
        ->add_option("--run", options->run,
                     "Write the records to this file, as trec_eval reads them: QUERY Q0 KEY RANK "
                     "SCORE TAG")
        ->type_name("FILE");
    command
        ->add_option("--query-ids", options->query_ids,
                     "With --run: the names of the queries, one a line, or JSON lines with _id "
                     "(default: their numbers from 0)")
        ->type_name("FILE");
    command
        ->add_option("--run-tag", options->run_tag, "With --run: its last column (default quern)")
        ->type_name("TAG");
    command->add_flag("--force", options->force, "With --run: overwrite the file if it exists");
    command->add_flag("--timing", options->timing,
                      "Print queries/s and latencies without ground truth");
    command->add_flag("--hits", options->hits, "With --truth or --timing: print the records too");
    command->add_flag("--batch", options->batch, "Search all queries in one call");
    command->add_flag("--self", options->self, "With --key: a record may find itself");
    command->add_option("--threads", options->threads, "Worker threads (default: all processors)")
        ->check(CLI::Range(1, 256));
    command
        ->add_option("--recall", options->recall,
                     "Wanted share of the true nearest, through an index (default 0.95); exact: "
                     "without one")
        ->type_name("SHARE");
    command
        ->add_option("--ef", options->ef,
                     "Instead of --recall: how many candidates a walk over a graph keeps")
        ->check(CLI::Range(1, 1048576));
    command
        ->add_option("--nprobe", options->nprobe,
                     "Instead of --recall: how many cells of a list index are opened")
        ->check(CLI::Range(1, 1048576));
    command
        ->add_option(
            "--refine", options->refine,
            "How many candidates are measured again with the stored vectors: auto, exact "
            "(all), none, a number, or proof: as many as it takes to prove that nothing is "
            "nearer")
        ->type_name("auto|exact|none|proof|N");
    command->add_flag(
        "--explain", options->explain,
        "Print as JSON what --where matches, how the first query would be searched for, and how it "
        "was: in each segment the estimates of the plan beside what was counted and read");
    command->add_flag("--explain-hits", options->explain_hits,
                      "Print as JSON what the scores of the first query's hits are made of: words, "
                      "dimensions, codes");
    command
        ->add_option("--audit", options->audit,
                     "Print as JSON what recall the queries get, against exact searches; keep: and "
                     "have what --recall asks for come true for such queries from now on (50 or "
                     "more); forget: no longer")
        ->check(CLI::IsMember({"measure", "keep", "forget"}));
    command
        ->add_option("--bound", options->bound,
                     "Of a sparse field: the share at which bounds count; below 1 is approximate "
                     "(default: exact)")
        ->check(NotEmpty())
        ->type_name("SHARE");
    command
        ->add_option("--superblocks", options->superblocks,
                     "With --bound: of each segment at least N superblocks are looked at")
        ->check(NotEmpty())
        ->type_name("N");
    command
        ->add_option("--terms", options->terms,
                     "Of a sparse field: an index orders records by the N heaviest terms of the "
                     "query; approximate (default: all)")
        ->check(NotEmpty())
        ->type_name("N");
    command
        ->add_option("--bucket-weights", options->bucket_weights,
                     "Of a sparse field with buckets: the weight of each, as 1,0.5,0")
        ->check(NotEmpty())
        ->type_name("W,W,...");
    command
        ->add_option("--timeout-ms", options->timeout_ms,
                     "End after so many milliseconds with what was found (default 0: no bound)")
        ->check(NotEmpty())
        ->type_name("N");
    command
        ->add_option("--max-scored", options->max_scored,
                     "End when so many records were measured for a query (default 0: no bound)")
        ->check(NotEmpty())
        ->type_name("N");
    command
        ->add_option("--max-bytes", options->max_bytes,
                     "End when so many bytes were read from the file (default 0: no bound)")
        ->check(NotEmpty())
        ->type_name("N");
    command->add_flag("--stats", options->stats,
                      "Print what the search has cost: bytes read, vectors scored and refined, "
                      "postings, and the time of each stage");
    command->add_option("--skip-rows", options->queries.skip_rows,
                        "Pass over the first N queries (and rows of the truth)");
    command->add_option("--limit", options->queries.limit, "At most N queries");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Recall counts how many of the first k true ids are among the k found: ids are compared, "
        "not distances.\n"
        "\n"
        "WHAT of a leg: a vector as for --vector, key=KEY for that of a stored record, the words "
        "of a text, text=WORDS for a sparse field with token weights, or @FILE for one query a "
        "row. OPTIONs: limit, absent, against, name, guide, min_score, "
        "max_distance, "
        "recall and the others of the library. Records are printed with their score in each leg.\n"
        "\n"
        "--text: x^2 counts twice, x OR y is as without OR. A word with - takes no ^, OR "
        "stands between words without a sign, and a sign before a word, alone. A phrase cannot "
        "hold a \". Words end at blanks, tabs "
        "and line ends; other white space (U+00A0, U+3000) makes a phrase of what it stands "
        "between.\n"
        "\n"
        "Examples:\n"
        "  quern search sift.quern sift --field emb --queries query.fvecs -k 10 --truth "
        "truth.ivecs\n"
        "  quern search words.quern words --key house -k 5 --where \"word like 'h%'\"\n"
        "  quern search words.quern words --plus king --minus man --plus woman\n"
        "  quern search books.quern books --vector \"$(cat vector.json)\" --columns title,year "
        "--json\n"
        "  quern search splade.quern docs --field vector --dimension 2417 -k 5\n"
        "  quern search papers.quern papers --leg 0.7*emb:@queries.npy --leg 0.3*body:@queries.txt "
        "--fusion normalize=minmax\n"
        "  quern search scifact.quern docs --leg text:@scifact/queries.jsonl -k 100 --run bm25.run "
        "--query-ids scifact/queries.jsonl\n"
        "  quern search papers.quern papers --vector \"$(cat vector.json)\" --field emb "
        "--candidates 'body limit=1000:white whale'");
    command->callback([options] {
        if (options->dimension >= 0) {
            if (!options->vector.empty()) {
                FailUsage("say what to search for with one of --vector and --dimension");
            }
            options->vector = "{\"" + std::to_string(options->dimension) + "\":1}";
        }
        if (options->k == 0 && !options->with_max_distance && !options->with_min_score &&
            options->candidates.empty()) {
            FailUsage("-k 0 needs --max-distance, --min-score or --candidates");
        }
        RunSearch(*options);
    });
}

}  // namespace quern::shell
