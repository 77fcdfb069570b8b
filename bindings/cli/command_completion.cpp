// quern completion: scripts for the shells, from the option parser's own lists.
#include <CLI/CLI.hpp>

#include "completion_script.h"
#include "result_cells.h"
#include "shell.h"

namespace quern::shell {
namespace {

std::vector<CompletionCommand> ListCommands(const CLI::App& app) {
    std::vector<CompletionCommand> commands;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        CompletionCommand entry{command->get_name(), command->get_description(), {}};
        for (const CLI::Option* option : command->get_options()) {
            if (option->get_group().empty()) {
                continue;  // hidden
            }
            CompletionOption words;
            for (const std::string& name : option->get_snames()) {
                words.names.push_back("-" + name);
            }
            for (const std::string& name : option->get_lnames()) {
                words.names.push_back("--" + name);
            }
            if (words.names.empty()) {
                continue;  // positional
            }
            words.description = option->get_description();
            words.takes_value = option->get_items_expected_max() > 0;
            words.value = option->get_type_name();
            entry.options.push_back(words);
        }
        commands.push_back(entry);
    }
    return commands;
}

}  // namespace

void AddCompletionCommand(CLI::App* app) {
    auto shell = std::make_shared<std::string>();
    CLI::App* command =
        app->add_subcommand("completion", "Print a completion script for bash, zsh or fish");
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish", "man"}));
    command->footer(
        "man prints the options of all commands for the man page.\n"
        "\n"
        "Example:\n"
        "  quern completion bash > ~/.local/share/bash-completion/completions/quern");
    command->callback([app, shell] {
        const std::vector<CompletionCommand> commands = ListCommands(*app);
        Print(*shell == "bash"  ? BashCompletion(commands)
              : *shell == "zsh" ? ZshCompletion(commands)
              : *shell == "man" ? ManOptions(commands)
                                : FishCompletion(commands));
    });
}

}  // namespace quern::shell
