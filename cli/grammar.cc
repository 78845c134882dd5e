#include "cli/grammar.h"

namespace millrace::cli {
namespace {

constexpr const char* kDescription =
    "Runs your transforms where the objects are stored. These are the client verbs; a cluster is started with\n"
    "`millrace dev` (everything on this machine), `millrace proxy` and `millrace target`.\n\n"
    "Exit status: 0 all done, 1 finished without some (objects failed, files were not stored, a list lacks offline\n"
    "targets), 2 wrong usage or refused, 3 not found, 5 cluster not reached, 6 failed or cancelled, 7 waited too\n"
    "long, 130 interrupted.\n";

constexpr const char* kExamples =
    "  millrace dev                                           # a cluster on this machine\n"
    "  millrace bucket create ais://photos\n"
    "  millrace put ./photos ais://photos                     # a folder, or a file\n"
    "  millrace etl init --name squeeze --cmd 'gzip -9'       # any filter is a transform\n"
    "  millrace job run squeeze ais://photos ais://squeezed   # transforms every object, shows progress";

// Help that begins with the examples, which are kept as the footer.
class ExamplesFirst final : public CLI::Formatter {
public:
    ExamplesFirst() { column_width(34); }
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
        std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
        for (std::size_t at; (at = help.find("\n\n\n")) != help.npos;) help.erase(at, 1);
        while (help.ends_with('\n')) help.pop_back();
        if (mode == CLI::AppFormatMode::Sub || app->get_footer().empty()) return help + "\n";
        return "Examples:\n" + app->get_footer() + "\n\n" + help + "\n";
    }
    std::string make_footer(const CLI::App*) const override { return ""; }
    // The type alone; what it may be, stands in its name or in the description.
    std::string make_option_opts(const CLI::Option* option) const override {
        if (option->get_positional()) return "";
        std::string type = option->get_type_name();
        for (const char* check : {":{", ":POSITIVE"}) type.resize(std::min(type.find(check), type.size()));
        return type.empty() ? "" : (type.starts_with('[') ? "" : " ") + type;
    }
};

// A change of buckets is waited for in any case.
void add_bucket_waiting(CLI::App* command, Waiting& to) {
    command->add_flag("--wait", to.wait, "Wait until every online target has done it, as it does anyway");
    command->add_option("--timeout", to.timeout, "Wait no longer (exit status 7), instead of 30s; it goes on")->type_name("DURATION");
}

}  // namespace

Grammar::Grammar() : app(kDescription, "millrace") {
    app.formatter(std::make_shared<ExamplesFirst>());
    app.footer(kExamples);
    app.require_subcommand(0, 1);
    add_common_flags(&app, true);
    add_objects();
    add_copy_and_remove();
    add_buckets_and_cluster();
    add_auth();
    add_ca();
    add_etls();
    add_jobs();
    add_bench();
    add_completion();
}

CLI::App* Grammar::noun(const std::string& name, const std::string& description, const std::string& examples) {
    CLI::App* command = app.add_subcommand(name, description);
    command->footer(examples);
    command->require_subcommand(0, 1);
    add_common_flags(command, true);
    return command;
}

void Grammar::add_common_flags(CLI::App* command, bool short_output_flag) {
    command
        ->add_option("--endpoint", invocation.endpoint,
                     "Address of the cluster's proxy; if not given: MILLRACE_ENDPOINT, AIS_ENDPOINT, a line 'endpoint: URL' in "
                     "~/.config/millrace/config.yaml, then http://127.0.0.1:8080")
        ->type_name("URL");
    const auto set_output = [this](const std::string& value) { invocation.json = value == "json"; };
    command
        ->add_option_function<std::string>(short_output_flag ? "-o,--output" : "--output", set_output,
                                           "With json, standard output is nothing but JSON")
        ->type_name("json|table")
        ->check(CLI::IsMember({"json", "table"}));
    command->add_flag_callback("--json", [this] { invocation.json = true; }, "The same as --output json");
}

void Grammar::add_objects() {
    auto put = verb<Put>(&app, "put", "Store a file, every file below a folder, or standard input",
                         "  millrace put clip.flac ais://clips                # the name is the file's\n"
                         "  millrace put clip.flac ais://clips/a/other.flac\n"
                         "  millrace put ./clips ais://clips/2024             # every file below, as 2024/…\n"
                         "  tar c . | millrace put - ais://backup/all.tar");
    put.app->add_option("SOURCE", put.verb->source, "A file, a folder, a pipe, or - for standard input")->required();
    put.app->add_option("DESTINATION", put.verb->destination, "ais://BUCKET[/NAME]")->required();
    put.app->add_flag("--follow-links", put.verb->follow_links,
                      "Of a folder: what is below linked folders, too. Entries that are not stored are named, and end with exit status 1");

    auto get = verb<Get>(&app, "get", "Fetch an object, as it is or through a transform",
                         "  millrace get ais://clips/a/x.flac                 # writes x.flac here\n"
                         "  millrace get ais://clips/a/x.flac -o - | play -\n"
                         "  millrace get ais://clips/a/x.flac --etl to-wav16 -o x.wav", {}, false);
    get.app->add_option("OBJECT", get.verb->object, "ais://BUCKET/OBJECT")->required();
    get.app->add_option("-o,--out", get.verb->output, "A file or a folder to write into, or - for standard output")
        ->type_name("FILE");
    get.app->add_option("--etl", get.verb->transform, "Fetch what this transform makes of it, or a chain: 'A >> B'")->type_name("TRANSFORM");
    get.app->add_option("--args", get.verb->arguments, "Arguments for the transform")->type_name("TEXT");

    auto list = verb<List>(&app, "ls", "List objects",
                           "  millrace ls ais://clips\n"
                           "  millrace ls ais://clips/2024/ -o json");
    list.app->add_option("URI", list.verb->uri, "ais://BUCKET[/PREFIX]")->required();

    auto head = verb<Head>(&app, "head", "Show an object's size, checksum and origin",
                           "  millrace head ais://clips/a/x.flac");
    head.app->add_option("OBJECT", head.verb->object, "ais://BUCKET/OBJECT")->required();
}

void Grammar::add_buckets_and_cluster() {
    CLI::App* bucket = noun("bucket", "Create, list, rename and remove buckets",
                            "  millrace bucket create ais://clips\n"
                            "  millrace bucket ls");
    auto create = verb<BucketCreate>(bucket, "create", "Create a bucket",
                                     "  millrace bucket create ais://clips\n"
                                     "  millrace bucket create ais://clips --small-object-max 256KiB");
    create.app->add_option("BUCKET", create.verb->bucket, "ais://BUCKET")->required();
    create.app
        ->add_option("--small-object-max", create.verb->small_object_max,
                     "Objects up to this size live in the index instead of a file each (default 16KiB)")
        ->type_name("SIZE");
    verb<BucketList>(bucket, "ls", "List the buckets", "  millrace bucket ls");
    auto remove = verb<BucketRemove>(bucket, "rm", "Remove a bucket and all of its objects",
                                     "  millrace bucket rm ais://clips");
    remove.app->add_option("BUCKET", remove.verb->bucket, "ais://BUCKET")->required();
    add_bucket_waiting(remove.app, remove.verb->waiting);
    auto move = verb<BucketMove>(bucket, "mv", "Give a bucket another name; its objects stay where they are",
                                 "  millrace bucket mv ais://clips ais://recordings");
    move.app->add_option("FROM", move.verb->from, "ais://BUCKET")->required();
    move.app->add_option("TO", move.verb->to, "ais://NAME")->required();
    add_bucket_waiting(move.app, move.verb->waiting);
    auto head = verb<BucketHead>(bucket, "head",
                                 "Show a bucket's properties, and how its objects are shared among the targets (counts them)",
                                 "  millrace bucket head ais://clips");
    head.app->add_option("BUCKET", head.verb->bucket, "ais://BUCKET")->required();

    CLI::App* cluster = noun("cluster", "Look at the cluster, and settle what is wrong with its nodes", "  millrace cluster show");
    verb<ClusterShow>(cluster, "show", "Show the proxy and the targets",
                      "  millrace cluster show\n  millrace cluster show -o json");
    auto accept = verb<ClusterAccept>(cluster, "accept", "Believe a node whose folder is an older copy, or an empty one: the newest is lost for good",
                                      "  millrace cluster accept t-3x8k1w90aa           # slices of jobs go on from what its folder says\n"
                                      "  millrace cluster accept p-5b1qk7c2zz           # the proxy leads with the jobs that it knows");
    accept.app->add_option("NODE", accept.verb->node, "The target or proxy, as 'cluster show' names it")->required();
    auto invite = verb<ClusterInvite>(cluster, "invite", "Let one new target in: prints the line to run on its machine, which holds a secret",
                                      "  millrace cluster invite\n  millrace cluster invite --ttl 10m -o json");
    invite.app->add_option("--ttl", invite.verb->ttl, "How long the line is good for; it is good once")->type_name("TIME")->capture_default_str();
    auto revoke = verb<ClusterRevoke>(cluster, "revoke", "Take a target's key off the list: it is neither heard nor told anything any more",
                                      "  millrace cluster revoke t-3x8k1w90aa");
    revoke.app->add_option("NODE", revoke.verb->node, "The target, as 'cluster show' names it")->required();
}

void Grammar::add_etl_init(CLI::App* etl) {
    auto init = verb<EtlInit>(etl, "init", "Register a transform and start it on every target",
                              "  millrace etl init --name squeeze --cmd 'gzip -9'\n"
                              "  millrace etl init -f squeeze.yaml                 # may hold several documents\n"
                              "  millrace etl init -f - < squeeze.yaml\n"
                              "  millrace etl init -f spec.yaml --name squeeze2 --comm-type ws");
    SpecValues& values = init.verb->values;
    auto* file =
        init.app->add_option("-f,--file", init.verb->file, "Specifications in YAML or JSON, or - for standard input")
            ->type_name("FILE");
    auto* name =
        init.app->add_option("--name", values.name, "6 to 32 of a-z, 0-9 and -; instead of the one in FILE")->type_name("NAME");
    init.app
        ->add_option("--cmd", init.verb->cmd, "A filter: the object on standard input, the result on standard output")
        ->type_name("COMMAND")
        ->excludes(file)
        ->needs(name);
    init.app->add_option("--comm-type", values.communication, "How objects reach a server: hpush, hpull, ws or stream; instead of what is in FILE")
        ->type_name("TYPE");
    init.app->add_option("--init-timeout", values.init_timeout, "How long it may take to start on a target")->type_name("DURATION");
    init.app
        ->add_option("--object-timeout", values.object_timeout,
                     "How long no byte of an object may come or go before its run is given up; more for large objects")
        ->type_name("DURATION");
}

void Grammar::add_etls() {
    CLI::App* etl = noun("etl", "Register transforms and look after them",
                         "  millrace etl init --name squeeze --cmd 'gzip -9'\n"
                         "  millrace etl ls\n"
                         "  millrace etl logs squeeze");
    add_etl_init(etl);
    verb<EtlList>(etl, "ls", "List the transforms", "  millrace etl ls");
    auto show = verb<EtlShow>(etl, "show", "Show a transform and how it is on each target",
                              "  millrace etl show squeeze");
    show.app->add_option("NAME", show.verb->name)->required();
    for (const auto& [word, description] : {std::pair{"start", "Start a stopped transform"},
                                            {"stop", "Kill a transform's processes; it stays registered"},
                                            {"restart", "Stop a transform and start it again, also where it failed too often and was given up"},
                                            {"rm", "Stop and forget a transform"}}) {
        auto control = verb<EtlControl>(etl, word, description,
                                        std::string("  millrace etl ") + word + " squeeze\n  millrace etl " + word + " -f squeeze.yaml",
                                        {.verb = word});
        auto* name = control.app->add_option("NAME", control.verb->name);
        control.app->add_option("-f,--file", control.verb->file, "Those that are specified in this file, or - for standard input")
            ->type_name("FILE")
            ->excludes(name);
        if (std::string_view(word) == "restart") {
            control.app->add_option("--new-version", control.verb->new_version,
                                    "The program, or the image, behind the same words is another now: this version, or the next number")
                ->expected(0, 1)
                ->type_name("[TEXT]");
        }
        if (std::string_view(word).ends_with("start")) add_waiting(control.app, control.verb->waiting);
    }
    auto logs = verb<EtlLogs>(etl, "logs", "Show what a transform wrote to standard error",
                              "  millrace etl logs squeeze\n  millrace etl logs squeeze --target t-abc -f");
    logs.app->add_option("NAME", logs.verb->name)->required();
    logs.app->add_option("--target", logs.verb->target, "Of this target only")->type_name("ID");
    logs.app->add_flag("-f,--follow", logs.verb->follow, "Go on with what it writes, until Ctrl-C");
    auto errors = verb<EtlErrors>(etl, "errors", "Show the last objects that could not be fetched through a transform (get --etl)",
                                  "  millrace etl errors squeeze");
    errors.app->add_option("NAME", errors.verb->name)->required();
}

void Grammar::add_completion() {
    auto completion = verb<Completion>(&app, "completion", "Print a completion script for a shell",
                                       "  source <(millrace completion bash)\n"
                                       "  millrace completion zsh > ~/.zfunc/_millrace\n"
                                       "  millrace completion fish > ~/.config/fish/completions/millrace.fish");
    completion.app->add_option("SHELL", completion.verb->shell)
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    verb<Version>(&app, "version", "Print the version", "  millrace version");
}

}  // namespace millrace::cli
