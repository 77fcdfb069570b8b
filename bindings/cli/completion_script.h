// Completion scripts for bash, zsh and fish, and the options of the man page, made from the
// program's own commands and options, so that they cannot disagree.
#pragma once

#include <string>
#include <vector>

namespace quern::shell {

struct CompletionOption {
    std::vector<std::string> names;  // "-f", "--field"
    std::string description;
    bool takes_value = false;
    std::string value;  // what stands for it: "FILE"
};
struct CompletionCommand {
    std::string name;
    std::string description;
    std::vector<CompletionOption> options;
};

std::string BashCompletion(const std::vector<CompletionCommand>& commands);
std::string ZshCompletion(const std::vector<CompletionCommand>& commands);
std::string FishCompletion(const std::vector<CompletionCommand>& commands);
// A section of roff.
std::string ManOptions(const std::vector<CompletionCommand>& commands);

}  // namespace quern::shell
