#include "tests/sim/simulation.h"

namespace millrace::sim {

Plan draw_plan(Random& random) {
    Plan plan;
    plan.targets = random.between(2, 5);
    plan.objects = random.between(5, 300);
    TargetConfig& target = plan.settings.target;
    target.window_objects_max = static_cast<std::uint32_t>(random.between(1, 40));
    target.checkpoint_objects_max = static_cast<std::uint32_t>(random.between(1, 60));
    target.checkpoint_interval_ms = random.between_ms(100, 1000);
    plan.settings.workers = static_cast<std::uint32_t>(random.between(1, 8));
    plan.settings.transform_ms_max = random.pick(std::vector<std::uint64_t>{2, 20, 100, 500});
    plan.settings.put_ms_max = random.pick(std::vector<std::uint64_t>{1, 10, 100});
    plan.settings.put_late_permille = random.chance(500) ? 50 : 0;
    plan.settings.feed_fails_permille = random.chance(300) ? 50 : 0;
    plan.settings.read_fails_permille = random.chance(200) ? 10 : 0;
    plan.settings.bucket_fails_permille = random.chance(300) ? 300 : 0;
    plan.buckets_by_jobs = random.chance(300);
    plan.settings.write_fails_permille = random.chance(200) ? 5 : 0;
    plan.settings.blocking_late_permille = random.chance(300) ? 50 : 0;
    plan.rejected_permille = random.chance(500) ? 50 : 0;
    plan.transient_permille = random.chance(500) ? 100 : 0;
    plan.killer_permille = random.chance(400) ? 20 : 0;
    plan.never_fits_permille = random.chance(200) ? 20 : 0;
    plan.colliding_permille = random.chance(100) ? 20 : 0;
    plan.faults_ms = random.between(1000, 30'000);
    plan.fault_gap_ms_max = random.pick(std::vector<std::uint64_t>{300, 1000, 4000, 20'000});
    plan.change_gap_ms_max = random.pick(std::vector<std::uint64_t>{50, 300, 2000});
    plan.commands = random.chance(700);
    plan.replacements = plan.commands && random.chance(500);
    if (random.chance(700)) {
        plan.weather = {.lost_permille = static_cast<std::uint32_t>(random.between(0, 300)),
                        .doubled_permille = static_cast<std::uint32_t>(random.between(0, 200)),
                        .late_permille = static_cast<std::uint32_t>(random.between(0, 100)),
                        .delay_ms_max = random.between(1, 200)};
    }
    plan.settings.copies = random.chance(150);
    plan.settings.list_late_permille = random.chance(300) ? 200 : 0;
    return plan;
}

}  // namespace millrace::sim
