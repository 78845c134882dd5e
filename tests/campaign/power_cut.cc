// Power cuts: a target's store and a proxy's at work on a disk that forgets (tests/support/power_cut), cut off at random moments. Afterwards
// nothing is missing that was acknowledged as durable, and every object is one of the versions it had, whole.
//
//   power_cut [--seed 1] [--cuts 1000] [--keep]
//
// A seed is one history of about two hundred changes and 25 cuts of it. A failure prints its seed; as the database's threads take part, the
// same seed gives nearly the same history. --keep: the folder of the failure stays.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "core/log.h"
#include "core/loop.h"
#include "state/families.h"
#include "state/format.h"
#include "state/local_metadata_store.h"
#include "state/slice_store.h"
#include "store/local_store.h"
#include "tests/support/power_cut/history.h"

namespace millrace::power_cut {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

constexpr Moment kNever = std::numeric_limits<Moment>::max();
constexpr std::size_t kChanges = 200;
constexpr std::size_t kCutsPerHistory = 25;
constexpr std::uint64_t kSmallMax = 1024;
const std::string kBucket = "photos";
const JobId kJob("job-1");

struct Broken : std::runtime_error {
    using runtime_error::runtime_error;
};

template <class T>
T must(Result<T> result, const std::string& what) {
    if (!result) throw Broken(what + ": " + result.error().context);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string content_of(std::uint64_t id, std::size_t bytes) {
    Random random(id * 7919 + bytes);
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(random() >> 33);
    return text;
}

// Both nodes, opened in one folder.
class Nodes {
public:
    explicit Nodes(const std::string& folder) {
        constexpr std::uint64_t kBufferBytes = 64 << 10;  // small, so that the database flushes, compacts and changes its logs
        for (const char* part : {"/target", "/target/state", "/proxy", "/proxy/state"}) fs::create_directories(folder + part);
        kv = must(state::Kv::open(folder + "/target/state", state::target_families(), {.write_buffer_bytes = kBufferBytes}), "open the target");
        must(state::check_format(*kv, state::target_family::meta, "target"), "format");
        store = must(store::LocalStore::open({.folder = folder + "/target", .mountpaths = {}, .unlink_delay = std::chrono::hours(1)}, *kv), "open the store");
        slices = std::make_unique<state::SliceStore>(*kv);
        proxy_kv = must(state::Kv::open(folder + "/proxy/state", state::proxy_families(), {.write_buffer_bytes = kBufferBytes}), "open the proxy");
        must(state::check_format(*proxy_kv, state::proxy_family::meta, "proxy"), "format");
        metadata = std::make_unique<state::LocalMetadataStore>(*proxy_kv, disk);
    }

    std::unique_ptr<state::Kv> kv;
    std::unique_ptr<store::LocalStore> store;
    std::unique_ptr<state::SliceStore> slices;
    std::unique_ptr<state::Kv> proxy_kv;
    Loop loop{"metadata"};
    BlockingPool disk{1};
    std::unique_ptr<state::MetadataStore> metadata;
};

struct Version {
    std::string content;
    bool is_erased = false;
    Moment begun = 0;
    Moment durable = kNever;
};

// Numbers that are written down one after the other, each before the next.
struct Counter {
    struct Step {
        Moment begun = 0;
        Moment durable = kNever;
    };
    std::vector<Step> steps;

    void expect(std::uint64_t found, Moment cut, const std::string& what) const {
        std::uint64_t least = 0, most = 0;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if (steps[i].durable <= cut) least = i + 1;
            if (steps[i].begun < cut) most = i + 1;
        }
        if (found < least || found > most) {
            throw Broken(what + " is at " + std::to_string(found) + ", not between " + std::to_string(least) + " and " + std::to_string(most));
        }
    }
};

class Life {
public:
    Life(const std::string& folder, std::uint64_t seed) : random_(seed) {
        fs::create_directories(folder);
        must(Nodes(folder).store->create_bucket(kBucket, kSmallMax), "create the bucket");
        history_ = std::make_unique<History>(folder);
        const Recording recording(*history_);
        recording_ = &recording;
        {
            Nodes nodes(folder);
            nodes_ = &nodes;
            for (std::size_t i = 0; i < kChanges; ++i) change();
        }
        recording_ = nullptr;
    }

    const History& history() const { return *history_; }

    void check(Nodes& nodes, Moment cut) {
        for (const auto& [name, versions] : objects_) check_object(nodes, name, versions, cut);
        const auto page = must(nodes.store->scan(kBucket, "", "", 1000), "list");
        const auto checkpoint = must(nodes.slices->checkpoint(kJob), "checkpoint");
        checkpoints_.expect(checkpoint ? checkpoint->counters.done : 0, cut, "the checkpoint");
        const auto catalog = number(must(run_blocking(nodes.loop, nodes.metadata->get("catalog")), "catalog"));
        commits_.expect(catalog, cut, "the proxy's catalog");
        if (number(must(run_blocking(nodes.loop, nodes.metadata->get("job/1")), "job")) != catalog) throw Broken("half a commit");
    }

    // The nodes go on.
    void go_on(Nodes& nodes) {
        nodes_ = &nodes;
        const std::string text = content_of(random_(), 5000);
        put("afterwards", text, {});
        must(nodes.store->sync(), "sync after the cut");
        if (read(nodes, "afterwards") != text) throw Broken("what was stored after the cut is another");
        objects_.erase("afterwards");
    }

private:
    static std::uint64_t number(const std::optional<std::string>& text) { return text ? std::stoull(*text) : 0; }
    Moment now() const { return recording_ == nullptr ? 0 : recording_->now(); }

    void change() {
        const std::uint64_t dice = random_() % 100;
        if (dice < 60) return put_some();
        if (dice < 68) return erase();
        if (dice < 74) return upload();
        if (dice < 78) return copy();
        if (dice < 88) return sync();
        if (dice < 94) return checkpoint();
        commit();
    }

    std::string any_name() { return "name-" + std::to_string(random_() % 10); }

    Version& begin(const std::string& name) { return objects_[name].emplace_back(Version{.begun = now()}); }

    void put(const std::string& name, const std::string& text, store::WriteOptions options) {
        Version& version = begin(name);
        version.content = text;
        const bool synced = options.sync;
        const auto writer = must(nodes_->store->begin_write(kBucket, name, std::move(options)), "begin");
        must(run_blocking(loop_, writer->write(as_bytes(text))), "write");
        must(run_blocking(loop_, writer->commit()), "commit");
        if (synced) version.durable = now();
    }

    void put_some() {
        const std::size_t bytes = random_() % 2 == 0 ? random_() % kSmallMax : kSmallMax + random_() % 20'000;
        store::WriteOptions options;
        options.sync = random_() % 6 == 0;
        put(any_name(), content_of(random_(), bytes), std::move(options));
    }

    void erase() {
        const std::string name = any_name();
        begin(name).is_erased = true;
        if (const auto erased = nodes_->store->erase(kBucket, name); !erased && erased.error().code != Code::not_found) must(erased, "erase");
    }

    void upload() {
        const std::string name = any_name();
        const std::string text = content_of(random_(), 3000 + random_() % 3000);
        Version& version = begin(name);
        version.content = text;
        store::Drafts& drafts = nodes_->store->drafts();
        const auto draft = must(drafts.begin(kBucket, name), "begin a draft");
        for (const auto& [piece, part] : {std::pair(1u, text.substr(0, 1500)), std::pair(2u, text.substr(1500))}) {
            const auto writer = must(drafts.write_piece(draft, piece, {}), "piece");
            must(run_blocking(loop_, writer->write(as_bytes(part))), "write a piece");
            must(writer->commit(), "commit a piece");
        }
        must(run_blocking(loop_, drafts.publish(draft, {1, 2}, {})), "publish");
    }

    void copy() {
        const std::string from = any_name();
        const auto reader = nodes_->store->open(kBucket, from);
        if (!reader) return;
        store::WriteOptions options;
        options.size = (*reader)->info().size;
        options.expected_checksum = (*reader)->info().checksum;
        options.copy_of = (*reader)->file_path();
        const std::string text = objects_.at(from).back().content;
        put(any_name(), text, std::move(options));
    }

    void sync() {
        must(nodes_->store->sync(), "sync");
        for (auto& [name, versions] : objects_) {
            for (Version& version : versions) version.durable = std::min(version.durable, now());
        }
    }

    void checkpoint() {
        sync();
        const std::size_t step = checkpoints_.steps.size();
        checkpoints_.steps.push_back({.begun = now()});
        state::SliceCheckpoint record;
        record.counters.done = step + 1;
        must(nodes_->slices->put_checkpoint(kJob, record, {}), "checkpoint");
        checkpoints_.steps[step].durable = now();
    }

    void commit() {
        const std::size_t step = commits_.steps.size();
        commits_.steps.push_back({.begun = now()});
        const std::string text = std::to_string(step + 1);
        must(run_blocking(nodes_->loop, nodes_->metadata->commit({.changes = {{"catalog", text}, {"job/1", text}}})), "commit");
        commits_.steps[step].durable = now();
    }

    std::optional<std::string> read(Nodes& nodes, const std::string& name) {
        const auto reader = nodes.store->open(kBucket, name);
        if (!reader && reader.error().code == Code::not_found) return std::nullopt;
        if (!reader) throw Broken(name + " cannot be opened: " + reader.error().context);
        std::string text;
        std::vector<std::byte> buffer(8192);
        for (;;) {
            const std::size_t count = must(run_blocking(loop_, (*reader)->read(buffer)), "read " + name);
            if (count == 0) return text;
            text.append(reinterpret_cast<const char*>(buffer.data()), count);
        }
    }

    void check_object(Nodes& nodes, const std::string& name, const std::vector<Version>& versions, Moment cut) {
        std::size_t first = 0;  // of those that it may be
        bool may_be_absent = true;
        for (std::size_t i = 0; i < versions.size(); ++i) {
            if (versions[i].durable > cut) continue;
            first = i;
            may_be_absent = false;
        }
        const auto found = read(nodes, name);
        if (!found && may_be_absent) return;
        for (std::size_t i = first; i < versions.size() && versions[i].begun < cut; ++i) {
            if (versions[i].is_erased ? !found : found && *found == versions[i].content) return;
        }
        std::string older = "none that it ever had";
        for (std::size_t i = 0; i < first; ++i) {
            if (found && *found == versions[i].content) older = "version " + std::to_string(i) + " again";
        }
        throw Broken(name + " is " + (found ? older : "gone") + "; version " + std::to_string(first) + " was durable");
    }

    Random random_;
    Loop loop_{"cut"};
    std::unique_ptr<History> history_;
    const Recording* recording_ = nullptr;
    Nodes* nodes_ = nullptr;
    std::map<std::string, std::vector<Version>> objects_;
    Counter checkpoints_;
    Counter commits_;
};

struct Arguments {
    std::uint64_t seed = 1;
    std::size_t cuts = 1000;
    bool keep = false;
};

// What the cut left, and then what a cut of the recovery leaves.
void cut_once(Life& life, Moment cut, Random& random, const std::string& folder) {
    fs::remove_all(folder);
    life.history().leave(cut, random, folder + "/first");
    History again(folder + "/first");
    {
        const Recording recording(again);
        Nodes nodes(folder + "/first");
        life.check(nodes, cut);
    }
    again.leave(random() % (again.now() + 1), random, folder + "/second");
    Nodes nodes(folder + "/second");
    life.check(nodes, cut);
    life.go_on(nodes);
}

int run(const Arguments& arguments) {
    std::string pattern = fs::temp_directory_path() / "millrace-power-cut-XXXXXX";
    const std::string folder = ::mkdtemp(pattern.data());
    std::size_t cuts = 0;
    std::size_t operations = 0;
    std::uint64_t seed = arguments.seed;
    int status = 0;
    for (; cuts < arguments.cuts && status == 0; ++seed) {
        Moment cut = 0;
        try {
            fs::remove_all(folder);
            Life life(folder + "/life", seed);
            operations += life.history().now();
            Random random(seed);
            for (std::size_t i = 0; i < kCutsPerHistory && cuts < arguments.cuts; ++i, ++cuts) {
                cut = random() % (life.history().now() + 1);
                cut_once(life, cut, random, folder + "/cut");
            }
        } catch (const Broken& broken) {
            std::printf("seed %llu, cut at %zu: %s\n", static_cast<unsigned long long>(seed), cut, broken.what());
            status = 1;
        }
    }
    if (status == 0) {
        std::printf("%zu cuts, each with a cut of its recovery, of %zu recorded operations, seeds %llu to %llu: nothing durable lost, nothing half-made\n",
                    cuts, operations, static_cast<unsigned long long>(arguments.seed), static_cast<unsigned long long>(seed - 1));
    }
    if (status != 0 && arguments.keep) std::printf("kept: %s\n", folder.c_str());
    else fs::remove_all(folder);
    return status;
}

}  // namespace
}  // namespace millrace::power_cut

int main(int argc, char** argv) {
    millrace::power_cut::Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
        if (std::strcmp(argv[i], "--seed") == 0) arguments.seed = number();
        else if (std::strcmp(argv[i], "--cuts") == 0) arguments.cuts = number();
        else if (std::strcmp(argv[i], "--keep") == 0) arguments.keep = true;
        else return std::fprintf(stderr, "usage: power_cut [--seed N] [--cuts N] [--keep]\n"), 2;
    }
    (void)millrace::log::start("power_cut", millrace::log::Level::error, "");
    return millrace::power_cut::run(arguments);
}
