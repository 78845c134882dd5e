// One simulated run, from a seed: a cluster, sources, jobs, then a time of faults and impatient users, then calm, in which
// everything must come to its end.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace millrace::sim {

// How a seed makes its run. Every field is drawn from the seed.
struct Plan {
    std::size_t targets = 3;
    Settings settings;
    std::size_t objects = 100;
    std::uint32_t rejected_permille = 0, transient_permille = 0, killer_permille = 0, never_fits_permille = 0;
    std::uint32_t colliding_permille = 0;
    std::uint64_t faults_ms = 10'000;
    std::uint64_t fault_gap_ms_max = 1000;  // between two faults
    std::uint64_t change_gap_ms_max = 300;  // between two changes of the sources
    bool replacements = false;              // and destroy, rename and replace what jobs are about
    bool buckets_by_jobs = false;           // destinations come to be when a job is submitted, under faults
    bool commands = true;                   // users pause, resume, cancel and retry
    Weather weather;
};
Plan draw_plan(Random& random);

class Simulation {
public:
    explicit Simulation(std::uint64_t seed);

    // Throws Broken.
    void run();
    World& world() { return cluster_.world; }

private:
    struct PlannedJob {
        scheduler::JobRequest request;
        std::string key;
        std::string id{};       // once it was accepted
        std::string why_not{};  // it was not, when it was last submitted
        bool wanted = true;     // the user wants it to end well
    };

    Simulation(Random random, std::uint64_t seed);
    void make_sources();
    void make_job(std::size_t number);
    std::string new_name();

    void set_up();
    void create_bucket(const std::string& name);
    void submit_all();
    bool all_submitted() const;
    void next_fault();
    void next_change();
    void next_command();
    void change_what_a_job_is_about();
    void fault();
    void kill_somebody();
    void restore_somebody();
    // Whoever is down is started again, some time.
    void supervise();
    void next_look();
    void change_weather();
    void calm_down();

    void run_for(std::uint64_t ms);
    // Runs until every job is at rest; Broken when that takes too long.
    void run_to_rest(const std::string& what);
    bool at_rest(const PlannedJob& planned);
    void nudge(const PlannedJob& planned);
    void have_transform();
    void check_classes(const PlannedJob& planned);
    void retry_all();
    // With what is there now, when that is another than before.
    void start_again(const std::string& job, scheduler::Again how);
    void remove_all();

    Plan plan_;
    std::vector<std::string> names_;  // ever used
    std::vector<PlannedJob> jobs_;
    std::size_t renamings_ = 0;
    std::size_t times_full_ = 0;  // disks
    bool faulty_ = true;
    bool mended_ = false;  // users have removed what made objects and jobs fail, and insist
    Cluster cluster_;      // last: users and operators act in its world until it has come to its end
};

}  // namespace millrace::sim
