// The CLI11 side of the grammar: one App per command, filling the verb structs. For arguments.cc and grammar*.cc only: it
// is slow to compile.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/arguments.h"

namespace millrace::cli {

class Grammar {
public:
    Grammar();
    Grammar(const Grammar&) = delete;

    CLI::App app;
    Invocation invocation;

private:
    template <class V>
    struct Command {
        CLI::App* app;
        V* verb;
    };

    CLI::App* noun(const std::string& name, const std::string& description, const std::string& examples);
    // A command that takes no flags of its own yet. `verb` holds what later options write to.
    template <class V>
    Command<V> verb(CLI::App* parent, const std::string& name, const std::string& description,
                    const std::string& examples, V preset = {}, bool short_output_flag = true) {
        auto held = std::make_shared<V>(std::move(preset));
        CLI::App* command = parent->add_subcommand(name, description);
        command->footer(examples);
        command->callback([this, held] { invocation.verb = *held; });
        add_common_flags(command, short_output_flag);
        return {command, held.get()};
    }
    void add_common_flags(CLI::App* command, bool short_output_flag);
    // --wait, --watch and --timeout; what is waited for anyway has `to.wait` set.
    void add_waiting(CLI::App* command, Waiting& to);

    void add_objects();
    void add_copy_and_remove();
    void add_buckets_and_cluster();
    void add_auth();
    void add_ca();
    void add_etls();
    void add_etl_init(CLI::App* etl);
    void add_jobs();
    void add_job_submit(CLI::App* job, const std::string& name, const std::string& description,
                        const std::string& examples, JobSubmit preset);
    void add_bench();
    void add_completion();
};

}  // namespace millrace::cli
