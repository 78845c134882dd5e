#include "cli/grammar.h"

namespace millrace::cli {

void Grammar::add_bench() {
    CLI::App* bench = noun("bench", "Measure a cluster: put, get and transform objects under load, run jobs",
                           "  millrace bench put ais://load --size 4KiB --count 100000\n"
                           "  millrace bench get ais://load --duration 30s --concurrency 64\n"
                           "  millrace bench inline ais://load --etl squeeze --rate 200\n"
                           "  millrace bench job ais://load ais://load-out --preset md5");
    const auto add_load = [](CLI::App* command, BenchLoad& to) {
        command->add_option("--count", to.count, "Carry out N operations at most")->type_name("N")->check(CLI::PositiveNumber);
        command->add_option("--duration", to.duration, "Begin no operation after this time; default: 10s, with --count no bound")->type_name("DURATION");
        command->add_option("--concurrency", to.concurrency, "Operations under way at once; default: 16")->type_name("N")->check(CLI::Range(1, 4096));
        command->add_option("--rate", to.rate, "Operations per second, timed from when each is due; default: as fast as answers come")
            ->type_name("N")
            ->check(CLI::PositiveNumber);
        command->add_option("--seed", to.seed, "The number that random sizes and the choice of objects follow from; default: 1")->type_name("N");
    };

    auto put = verb<BenchLoad>(bench, "put", "Store objects of random bytes",
                               "  millrace bench put ais://load --size 4KiB:90,1MiB:10 --count 10000\n"
                               "  millrace bench put ais://load --size 64KiB --rate 500 --duration 30s", {.operation = "put"});
    put.app->add_option("BUCKET", put.verb->bucket, "ais://BUCKET[/PREFIX]; the bucket is created if there is none")->required();
    put.app->add_option("--size", put.verb->size, "SIZE, or shares of several: SIZE:SHARE,…; default: 4KiB")->type_name("SIZE");
    add_load(put.app, *put.verb);

    auto get = verb<BenchLoad>(bench, "get", "Fetch objects at random",
                               "  millrace bench get ais://load --duration 30s --concurrency 64", {.operation = "get"});
    get.app->add_option("BUCKET", get.verb->bucket, "ais://BUCKET[/PREFIX]")->required();
    add_load(get.app, *get.verb);

    auto mixed = verb<BenchLoad>(bench, "mixed", "Fetch objects at random, and store new ones meanwhile",
                                 "  millrace bench mixed ais://load --size 4KiB:50,64KiB:50 --put-share 30 --duration 30s", {.operation = "mixed"});
    mixed.app->add_option("BUCKET", mixed.verb->bucket, "ais://BUCKET[/PREFIX]")->required();
    mixed.app->add_option("--size", mixed.verb->size, "Of what is stored: SIZE, or shares of several: SIZE:SHARE,…; default: 4KiB")->type_name("SIZE");
    mixed.app->add_option("--put-share", mixed.verb->put_share, "How many of a hundred operations store an object; default: 30")
        ->type_name("N")
        ->check(CLI::Range(0, 100));
    add_load(mixed.app, *mixed.verb);

    auto inline_get = verb<BenchLoad>(bench, "inline", "Fetch objects at random through a transform",
                                      "  millrace bench inline ais://load --etl squeeze --rate 200", {.operation = "inline"});
    inline_get.app->add_option("BUCKET", inline_get.verb->bucket, "ais://BUCKET[/PREFIX]")->required();
    inline_get.app->add_option("--etl", inline_get.verb->transform, "A registered transform")->type_name("TRANSFORM")->required();
    inline_get.app->add_option("--args", inline_get.verb->arguments, "Arguments for the transform")->type_name("TEXT");
    add_load(inline_get.app, *inline_get.verb);

    auto job = verb<BenchJob>(bench, "job", "Run a job over a bucket and time it",
                              "  millrace bench job ais://load ais://load-out --preset gzip\n"
                              "  millrace bench job ais://load ais://load-out --etl squeeze --num-workers 8");
    job.app->add_option("SRC", job.verb->source, "ais://BUCKET[/PREFIX]")->required();
    job.app->add_option("DST", job.verb->destination, "ais://BUCKET")->required();
    auto* preset = job.app->add_option("--preset", job.verb->preset, "copy: no transform; the others are registered as bench-…")
                       ->type_name("copy|cat|md5|gzip|sleep20")
                       ->check(CLI::IsMember({"copy", "cat", "md5", "gzip", "sleep20"}));
    job.app->add_option("--etl", job.verb->transform, "A registered transform")->type_name("TRANSFORM")->excludes(preset);
    job.app->add_option("--num-workers", job.verb->num_workers, "Objects at once on each target; 0 (default): as many as make it faster")->type_name("N");
    job.app->add_option("--timeout", job.verb->timeout, "Wait no longer (exit status 7); default: 1h")->type_name("DURATION");
}

}  // namespace millrace::cli
