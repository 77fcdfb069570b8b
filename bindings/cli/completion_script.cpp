// Writing completion scripts.
#include "completion_script.h"

namespace quern::shell {
namespace {

// Words that follow an option with a small set of values.
struct ValueChoice {
    const char* command;  // "" for all but those that stand before
    const char* option;
    const char* values;
};
constexpr ValueChoice kChoices[] = {
    {"fit", "--metric", "ndcg mrr"},
    {"hubs", "--kind", "csls softmax scaling nicdm zscore"},
    {"search", "--audit", "measure keep forget"},
    {"", "--format",
     "fvecs bvecs ivecs fbin u8bin i8bin ibin npy npz idx words spmat jsonl anserini csv tsv"},
    {"", "--metric", "l2 ip cosine hamming"},
    {"", "--type", "f32 f16 bf16 i8 bit"},
};
constexpr const char* kShells = "bash zsh fish";
constexpr const char* kHelp = "Explain a command, as its --help";

const char* ChoicesOf(const CompletionCommand& command, const CompletionOption& option) {
    for (const ValueChoice& choice : kChoices) {
        for (const std::string& name : option.names) {
            if (name == choice.option && (*choice.command == 0 || command.name == choice.command)) {
                return choice.values;
            }
        }
    }
    return nullptr;
}

std::string SingleQuoted(const std::string& text, const char* quote_escape) {
    std::string quoted = "'";
    for (char c : text) {
        quoted += c == '\'' ? quote_escape : std::string(1, c);
    }
    return quoted + "'";
}

std::string CommandNames(const std::vector<CompletionCommand>& commands) {
    std::string names;
    for (const CompletionCommand& command : commands) {
        names += (names.empty() ? "" : " ") + command.name;
    }
    return names;
}

// The descriptions of zsh's _arguments stand in brackets, with colons as separators.
std::string ZshText(const std::string& text) {
    std::string escaped;
    for (char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\') {
            escaped += '\\';
        }
        escaped += c;
    }
    return escaped;
}

// Nothing in it is taken for a command, a quote or a hyphen that may be broken.
std::string RoffText(const std::string& text) {
    std::string escaped;
    for (char c : text) {
        const std::string plain(1, c);
        escaped += c == '\\' ? "\\e" : c == '-' ? "\\-" : c == '\'' ? "\\(aq" : plain;
    }
    return (escaped.rfind('.', 0) == 0 ? "\\&" : "") + escaped;
}

}  // namespace

std::string BashCompletion(const std::vector<CompletionCommand>& commands) {
    std::string script =
        "# bash completion for quern; made by `quern completion bash`\n"
        "_quern() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} "
        "command=${COMP_WORDS[1]} words=\n"
        "    COMPREPLY=()\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"" +
        CommandNames(commands) +
        " help --help --version\" -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    case $command:$previous in\n"
        "        help:help) words=\"" +
        CommandNames(commands) +
        "\" ;;\n"
        "        completion:completion) words=\"" +
        kShells + "\" ;;\n";
    for (const CompletionCommand& command : commands) {
        for (const CompletionOption& option : command.options) {
            const char* const choices = ChoicesOf(command, option);
            std::string names;
            for (const std::string& name : option.names) {
                names.append(names.empty() ? "" : " | ");
                names.append(command.name).append(":").append(name);
            }
            if (choices != nullptr) {
                script.append("        ").append(names).append(") words=\"").append(choices);
                script.append("\" ;;\n");
            }
        }
    }
    script +=
        "    esac\n"
        "    if [ -z \"$words\" ]; then\n"
        "        [[ $current == -* ]] || return\n"
        "        case $command in\n";
    for (const CompletionCommand& command : commands) {
        std::string names;
        for (const CompletionOption& option : command.options) {
            for (const std::string& name : option.names) {
                names += (names.empty() ? "" : " ") + name;
            }
        }
        script += "            " + command.name + ") words=\"" + names + "\" ;;\n";
    }
    script +=
        "        esac\n"
        "    fi\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "}\n"
        "complete -o default -o bashdefault -F _quern quern\n";
    return script;
}

std::string ZshCompletion(const std::vector<CompletionCommand>& commands) {
    std::string script =
        "#compdef quern\n"
        "# zsh completion for quern; made by `quern completion zsh`\n"
        "_quern() {\n"
        "    local -a commands\n"
        "    commands=(\n";
    for (const CompletionCommand& command : commands) {
        script +=
            "        " + SingleQuoted(command.name + ":" + command.description, "'\\''") + "\n";
    }
    script += "        " + SingleQuoted(std::string("help:") + kHelp, "'\\''") + "\n";
    script +=
        "    )\n"
        "    if (( CURRENT == 2 )) || [[ $CURRENT == 3 && ${words[2]} == help ]]; then\n"
        "        _describe 'command' commands\n"
        "        return\n"
        "    fi\n"
        "    local command=${words[2]}\n"
        "    shift words\n"
        "    (( CURRENT-- ))\n"
        "    case $command in\n";
    for (const CompletionCommand& command : commands) {
        script += "        " + command.name + ")\n            _arguments \\\n";
        for (const CompletionOption& option : command.options) {
            for (const std::string& name : option.names) {
                std::string spec = "*" + name + "[" + ZshText(option.description) + "]";
                if (option.takes_value) {
                    const char* choices = ChoicesOf(command, option);
                    spec += choices != nullptr ? ":value:(" + std::string(choices) + ")"
                                               : ":value:_files";
                }
                script += "                " + SingleQuoted(spec, "'\\''") + " \\\n";
            }
        }
        script += command.name == "completion"
                      ? std::string("                '1:shell:(") + kShells + ")'\n            ;;\n"
                      : "                '*:file:_files'\n            ;;\n";
    }
    script +=
        "    esac\n"
        "}\n"
        "_quern \"$@\"\n";
    return script;
}

std::string FishCompletion(const std::vector<CompletionCommand>& commands) {
    std::string script = "# fish completion for quern; made by `quern completion fish`\n";
    for (const CompletionCommand& command : commands) {
        script += "complete -c quern -n __fish_use_subcommand -f -a " + command.name + " -d " +
                  SingleQuoted(command.description, "\\'") + "\n";
    }
    script += "complete -c quern -n __fish_use_subcommand -f -a help -d " +
              SingleQuoted(kHelp, "\\'") + "\n";
    script += "complete -c quern -n '__fish_seen_subcommand_from help' -f -a " +
              SingleQuoted(CommandNames(commands), "\\'") + "\n";
    script += "complete -c quern -n '__fish_seen_subcommand_from completion' -f -a " +
              SingleQuoted(kShells, "\\'") + "\n";
    for (const CompletionCommand& command : commands) {
        for (const CompletionOption& option : command.options) {
            std::string line =
                "complete -c quern -n '__fish_seen_subcommand_from " + command.name + "'";
            for (const std::string& name : option.names) {
                line += name.size() > 2 ? " -l " + name.substr(2) : " -s " + name.substr(1);
            }
            if (option.takes_value) {
                const char* choices = ChoicesOf(command, option);
                line += choices != nullptr ? " -x -a " + SingleQuoted(choices, "\\'") : " -r";
            }
            script += line + " -d " + SingleQuoted(option.description, "\\'") + "\n";
        }
    }
    return script;
}

std::string ManOptions(const std::vector<CompletionCommand>& commands) {
    std::string section =
        ".\\\" What follows, up to the next section, is made by `quern completion man`.\n"
        ".SH OPTIONS\n";
    for (const CompletionCommand& command : commands) {
        section += ".SS quern " + command.name + "\n";
        for (const CompletionOption& option : command.options) {
            std::string names;
            for (const std::string& name : option.names) {
                names += (names.empty() ? "" : ", ") + RoffText(name);
            }
            section += ".TP\n\\fB" + names + "\\fR" +
                       (option.takes_value ? " \\fI" + RoffText(option.value) + "\\fR" : "") +
                       "\n" + RoffText(option.description) + "\n";
        }
    }
    return section;
}

}  // namespace quern::shell
