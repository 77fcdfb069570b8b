# bash completion for quern; made by `quern completion bash`
_quern() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "create alter import search fit hubs get count delete list update export sql info tokens stats verify optimize vacuum backup rebuild drop bench completion help --help --version" -- "$current"))
        return
    fi
    case $command:$previous in
        help:help) words="create alter import search fit hubs get count delete list update export sql info tokens stats verify optimize vacuum backup rebuild drop bench completion" ;;
        completion:completion) words="bash zsh fish" ;;
        import:-m | import:--metric) words="l2 ip cosine hamming" ;;
        import:-t | import:--type) words="f32 f16 bf16 i8 bit" ;;
        import:--format) words="fvecs bvecs ivecs fbin u8bin i8bin ibin npy npz idx words spmat jsonl anserini csv tsv" ;;
        search:--format) words="fvecs bvecs ivecs fbin u8bin i8bin ibin npy npz idx words spmat jsonl anserini csv tsv" ;;
        search:--audit) words="measure keep forget" ;;
        fit:--metric) words="ndcg mrr" ;;
        hubs:--kind) words="csls softmax scaling nicdm zscore" ;;
        export:--format) words="fvecs bvecs ivecs fbin u8bin i8bin ibin npy npz idx words spmat jsonl anserini csv tsv" ;;
        bench:--format) words="fvecs bvecs ivecs fbin u8bin i8bin ibin npy npz idx words spmat jsonl anserini csv tsv" ;;
    esac
    if [ -z "$words" ]; then
        [[ $current == -* ]] || return
        case $command in
            create) words="-h --help -k --key -a --attr -d --dense --sparse --text --index --open" ;;
            alter) words="-h --help -a --attr --open" ;;
            import) words="-h --help -f --field -m --metric -t --type --index --format -k --key --key-file --start-key -a --attr -d --dense --sparse --vocabulary --text -c --columns --rename --rest --delimiter --batch-rows --skip-rows --limit --upsert --insert --update --add --skip-bad --atomic --json --open" ;;
            search) words="-h --help -f --field -q --queries --format --key --text --snippets --vector --vocabulary --dimension --plus --minus --leg --fusion --formula --feedback --candidates -k --max-distance --min-score --attach -w --where --only-keys --except-keys --offset -o --order --after --bookmark --group --per-group --diversify -c --columns --truth --run --query-ids --run-tag --force --timing --hits --batch --self --threads --recall --ef --nprobe --refine --explain --explain-hits --audit --bound --superblocks --terms --bucket-weights --timeout-ms --max-scored --max-bytes --stats --skip-rows --limit --json --open" ;;
            fit) words="-h --help --leg --qrels --query-ids --metric -k --fusion --store --attach -w --where --json --open" ;;
            hubs) words="-h --help -f --field --attribute -q --queries --kind -k --temperature --deviation --by --sample --threads --skip-rows --limit --json --open" ;;
            get) words="-h --help --key-file --json --open -c --columns" ;;
            count) words="-h --help --attach -w --where --only-keys --except-keys --facet -n --limit --json --open" ;;
            delete) words="-h --help --key-file --json --open --attach -w --where --only-keys --except-keys" ;;
            list) words="-h --help --attach -w --where --only-keys --except-keys -o --order -c --columns -n --limit --after --json --open" ;;
            update) words="-h --help -s --set --attach -w --where --only-keys --except-keys --json --open" ;;
            export) words="-h --help --format -f --field -c --columns --no-header --vocabulary --key-file --limit --force --open" ;;
            sql) words="-h --help --json --csv --attach --open" ;;
            info) words="-h --help --json --open" ;;
            tokens) words="-h --help --open --options --remove" ;;
            stats) words="-h --help --open -q --queries --vocabulary --json" ;;
            verify) words="-h --help --json --open" ;;
            optimize) words="-h --help --max-ms --json --open" ;;
            vacuum) words="-h --help --open" ;;
            backup) words="-h --help --open" ;;
            rebuild) words="-h --help --open" ;;
            drop) words="-h --help --column --fusion -y --yes --open" ;;
            bench) words="-h --help -f --field -q --queries --format -n --query-count -k --directory --memory-mb --no-insert --json --open" ;;
            completion) words="-h --help" ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -o bashdefault -F _quern quern
