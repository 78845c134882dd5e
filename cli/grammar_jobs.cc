#include "cli/grammar.h"

namespace millrace::cli {
namespace {

template <class Value>
CLI::Option* flag(CLI::App* command, const char* group, const char* word, Value& value, const char* type, const char* text) {
    return command->add_option(word, value, text)->type_name(type)->group(group);
}

void add_selection_options(CLI::App* command, JobSubmit& to) {
    constexpr const char* kWhich = "Which objects (default: all)";
    flag(command, kWhich, "--prefix", to.prefix, "TEXT", "Objects whose names begin so");
    flag(command, kWhich, "--list", to.lists, "A,B,C", "These objects; may be repeated")->allow_extra_args(false);
    flag(command, kWhich, "--list-file", to.list_file, "FILE", "The objects named in this file, one a line; - for standard input");
    flag(command, kWhich, "--template", to.name_template, "TEXT", "Names such as clip{000..099}.flac");
}

void add_names(CLI::App* command, JobSubmit& to) {
    constexpr const char* kResults = "Names and contents of the results";
    flag(command, kResults, "--ext", to.extensions, "OLD:NEW",
         "Change an extension: flac:wav, tar.gz:tar.zst; gz: takes one off, :gz puts one on; may be repeated")
        ->allow_extra_args(false);
    command->add_flag("--ext-any-case", to.ext_any_case, "Old extensions in upper and lower case: jpg is JPG, too")->group(kResults);
    flag(command, kResults, "--prepend", to.prepend, "TEXT", "Put this in front of each name");
    flag(command, kResults, "--overwrite", to.overwrite, "always|never|changed",
         "Where the result exists; default: always. changed: make it unless it is there from the same version of the source, the same "
         "specification and the same arguments (a program that changed behind the same words is not seen)")
        ->check(CLI::IsMember({"always", "never", "changed"}));
    if (to.operation.empty()) {
        flag(command, kResults, "--empty-output", to.empty_output, "warn|fail|keep",
             "Results that are empty, or below a thousandth of an object of 64 KiB and more: count and say so (default), fail the objects, or take them")
            ->check(CLI::IsMember({"warn", "fail", "keep"}));
    }
    if (to.operation.empty()) flag(command, kResults, "--args", to.arguments, "TEXT", "Arguments for the transform");
}

void add_policy_options(CLI::App* command, JobSubmit& to) {
    constexpr const char* kHow = "How";
    flag(command, kHow, "--num-workers", to.num_workers, "N", "Objects at once on each target; 0 (default): as many as make it faster");
    flag(command, kHow, "--dry-run", to.dry_run, "[=run|plan]", "run (default): do all but storing or removing; plan: only count and check")
        ->check(CLI::IsMember({"run", "plan"}));
    if (to.operation.empty()) {
        flag(command, kHow, "--object-timeout", to.object_timeout, "DURATION",
             "How long no byte of an object may come or go before the try is given up; more for large objects");
    }
    flag(command, kHow, "--attempts", to.attempts, "N",
         "Tries at an object whose failure may pass: a timeout, say, or exit status 75 of a filter (retry_statuses in its specification)");
    flag(command, kHow, "--on-error", to.on_error, "POLICY",
         "When objects fail: continue (default), abort at the first, abort-after=N or abort-after=N% of them");
    flag(command, kHow, "--idempotency-key", to.idempotency_key, "KEY", "A repeated submit with the same key is the same job");
}

}  // namespace

void Grammar::add_waiting(CLI::App* command, Waiting& to) {
    constexpr const char* kWaiting = "Waiting";
    if (to.wait) {
        command->add_flag_callback("--wait", [&to] { to.watch = false; }, "Show no progress; the exit status tells how it ended")->group(kWaiting);
        command->add_flag("--watch", to.watch, "Show progress, as it does anyway")->group(kWaiting);
    } else {
        command->add_flag("--wait", to.wait, "Wait until it is done; the exit status tells how")->group(kWaiting);
        command->add_flag("--watch", to.watch, "Wait and show progress")->group(kWaiting);
    }
    flag(command, kWaiting, "--timeout", to.timeout, "DURATION", "Wait no longer (exit status 7); it goes on");
}

void Grammar::add_job_submit(CLI::App* job, const std::string& name, const std::string& description,
                             const std::string& examples, JobSubmit preset) {
    auto submit = verb<JobSubmit>(job, name, description, examples, std::move(preset));
    JobSubmit& to = *submit.verb;
    if (to.operation.empty()) {
        submit.app->add_option("TRANSFORM", to.transform, "A registered transform, or a chain of them: 'A >> B'")->required();
    }
    submit.app->add_option("SRC", to.source, "ais://BUCKET[/PREFIX]")->required();
    submit.app->add_option("DST", to.destination, "ais://BUCKET")->required();
    add_selection_options(submit.app, to);
    add_names(submit.app, to);
    add_policy_options(submit.app, to);
    add_waiting(submit.app, to.waiting);
}

void Grammar::add_copy_and_remove() {
    JobSubmit copy;
    copy.operation = "copy";
    copy.waiting = {.wait = true, .watch = true, .timeout = ""};
    add_job_submit(&app, "cp", "Copy objects to another bucket, as a job that is watched to its end",
                   "  millrace cp ais://clips ais://backup\n"
                   "  millrace cp ais://clips/2024/ ais://backup --prepend old/ --overwrite changed", copy);

    Remove preset;
    preset.job.operation = "delete";
    preset.job.waiting = copy.waiting;
    auto remove = verb<Remove>(&app, "rm", "Remove objects",
                               "  millrace rm ais://clips/a/x.flac\n"
                               "  millrace rm -r ais://clips/2024/                  # a job, watched to its end\n"
                               "  millrace rm -r ais://clips --list-file names.txt", std::move(preset));
    remove.app->add_option("OBJECT", remove.verb->objects, "ais://BUCKET/OBJECT, one or more; with -r ais://BUCKET[/PREFIX]")->required();
    CLI::Option* recursive =
        remove.app->add_flag("-r,--recursive", remove.verb->recursive, "All objects that are selected, by one job; the flags below are for it");
    const std::size_t before = remove.app->get_options().size();
    add_selection_options(remove.app, remove.verb->job);
    add_policy_options(remove.app, remove.verb->job);
    add_waiting(remove.app, remove.verb->job.waiting);
    const std::vector<CLI::Option*> options = remove.app->get_options();
    for (std::size_t i = before; i < options.size(); ++i) options[i]->needs(recursive);
}

void Grammar::add_jobs() {
    CLI::App* job = noun("job", "Transform whole buckets",
                         "  millrace job run squeeze ais://photos ais://squeezed\n"
                         "  millrace job submit to-wav16 ais://clips ais://wav --ext flac:wav\n"
                         "  millrace job ls\n"
                         "  millrace job watch job-7k2m0q9xw4");
    add_job_submit(job, "submit", "Start a job and print its id",
                   "  millrace job submit squeeze ais://photos/2024/ ais://squeezed\n"
                   "  millrace job submit to-wav16 ais://clips ais://wav --ext flac:wav --overwrite changed\n"
                   "  millrace job submit squeeze ais://photos ais://squeezed --dry-run=plan --watch", {});
    JobSubmit run;
    run.waiting = {.wait = true, .watch = true, .timeout = ""};
    add_job_submit(job, "run", "Start a job and watch it to its end: submit --wait --watch",
                   "  millrace job run squeeze ais://photos ais://squeezed\n"
                   "  millrace job run squeeze ais://photos ais://squeezed --on-error abort-after=1%", run);

    auto list = verb<JobList>(job, "ls", "List jobs, newest first",
                              "  millrace job ls\n  millrace job ls --state running -o json");
    list.app->add_option("--state", list.verb->state, "Only jobs in this state")
        ->type_name("STATE")
        ->check(CLI::IsMember(
            {"preparing", "running", "paused", "completed", "completed_with_errors", "failed", "cancelled"}));

    const auto add_job = [](CLI::App* command, std::string& to) {
        command->add_option("JOB", to, "A job's id")->required();
    };
    auto show = verb<JobShow>(job, "show", "Show a job, and how far each target is with its part", "  millrace job show job-7k2m0q9xw4");
    add_job(show.app, show.verb->job);
    auto watch = verb<JobWatch>(job, "watch", "Show a job's progress until it ends; Ctrl-C leaves it running",
                                "  millrace job watch job-7k2m0q9xw4");
    add_job(watch.app, watch.verb->job);
    watch.app->add_option("--timeout", watch.verb->timeout, "Watch no longer (exit status 7)")->type_name("DURATION");
    auto wait = verb<JobWait>(job, "wait", "Wait until a job ends; the exit status tells how",
                              "  millrace job wait job-7k2m0q9xw4 --timeout 10m");
    add_job(wait.app, wait.verb->job);
    wait.app->add_option("--timeout", wait.verb->timeout, "Wait no longer (exit status 7)")->type_name("DURATION");

    for (const auto& [word, description] : {std::pair{"pause", "Let a job rest; it keeps what it has done"},
                                            {"resume", "Go on with a paused, failed or cancelled job"},
                                            {"retry", "Try the failed objects of a finished job again, and only those"},
                                            {"cancel", "End a job; its finished outputs stay, and it can be resumed"}}) {
        auto control = verb<JobControl>(job, word, description,
                                        std::string("  millrace job ") + word + " job-7k2m0q9xw4", {.verb = word});
        add_job(control.app, control.verb->job);
        if (control.verb->verb != "resume" && control.verb->verb != "retry") continue;
        add_waiting(control.app, control.verb->waiting);
        control.app->add_flag("--with-current", control.verb->with_current,
                              "Go on with the destination and the transforms that have the names by now, where they are not those of before");
    }

    auto errors = verb<JobErrors>(
        job, "errors", "Show every object that failed, and why",
        "  millrace job errors job-7k2m0q9xw4\n  millrace job errors job-7k2m0q9xw4 --limit 10 -o json");
    add_job(errors.app, errors.verb->job);
    errors.app->add_option("--limit", errors.verb->limit, "Show no more than N")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    auto report = verb<JobReport>(job, "report", "Print the whole report as JSON lines",
                                  "  millrace job report job-7k2m0q9xw4 > report.jsonl");
    add_job(report.app, report.verb->job);
    auto verify = verb<JobVerify>(job, "verify", "Look whether the results of a job are all there, and are its own",
                                  "  millrace job verify job-7k2m0q9xw4\n  millrace job verify job-7k2m0q9xw4 --contents -o json");
    add_job(verify.app, verify.verb->job);
    verify.app->add_flag("--contents", verify.verb->contents, "Read each result too, and compare it with its checksum");
    auto remove = verb<JobRemove>(job, "rm", "Forget a job that has ended; its outputs stay",
                                  "  millrace job rm job-7k2m0q9xw4\n"
                                  "  millrace job rm --older-than 7d                   # all that ended longer ago");
    CLI::Option* one = remove.app->add_option("JOB", remove.verb->job, "The job's id");
    CLI::Option* older = remove.app->add_option("--older-than", remove.verb->older_than, "All jobs that ended longer ago")->type_name("DURATION");
    one->excludes(older);
}

}  // namespace millrace::cli
