#include "worker/catalog_keeper.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/log.h"

namespace millrace::worker {
namespace {

constexpr auto kPauseMin = milliseconds(1000);
constexpr auto kPauseMax = std::chrono::seconds(60);
constexpr auto kNever = std::chrono::hours(1);

}  // namespace

CatalogKeeper::CatalogKeeper(Loop& control, BlockingPool& blocking, store::ObjectStore& store, TargetState& state, Handlers handlers)
    : blocking_(blocking), store_(store), state_(state), handlers_(std::move(handlers)), tasks_(control.executor()), woken_(control.executor()) {}

CatalogKeeper::~CatalogKeeper() { MILLRACE_CHECK(tasks_.size() == 0); }

void CatalogKeeper::start() {
    if (state_.wanted().version != 0) next_try_ = {};
    tasks_.spawn(run());
}

void CatalogKeeper::take(const wire::Catalog& catalog) {
    // It is sent again while it is applied.
    if (catalog.version <= std::max(applying_, next_ ? next_->version : 0)) return;
    next_ = catalog;
    woken_.set();
}

Task<void> CatalogKeeper::run() {
    while (!stopping_) {
        woken_.clear();
        if (next_) {
            pause_ = {};
            co_await apply(*std::exchange(next_, std::nullopt));
        } else if (const Instant now = steady_now(); now >= next_try_) {
            co_await apply(state_.wanted());
        } else {
            (void)co_await woken_.wait_until(std::min(next_try_, now + kNever));
        }
    }
}

Task<void> CatalogKeeper::apply(wire::Catalog wanted) {
    applying_ = wanted.version;
    CatalogPlan plan(state_.catalog(), std::move(wanted));
    const Result<void> written = co_await carry_out(plan);
    applying_ = 0;
    std::vector<wire::CatalogProblem> problems = plan.problems();
    if (!written) problems.push_back({"", "the catalog could not be written down: " + written.error().context});
    if (problems != problems_) {
        for (const wire::CatalogProblem& problem : problems) {
            log::error("catalog not applied", {{"entry", problem.name}, {"version", plan.wanted().version}, {"reason", problem.reason}});
        }
    }
    problems_ = std::move(problems);
    pause_ = std::clamp<Duration>(2 * pause_, kPauseMin, kPauseMax);
    next_try_ = problems_.empty() || state_.wanted().version == 0 ? Instant::max() : steady_now() + pause_;
    if (written) handlers_.transforms(plan.known().transforms);
    handlers_.applied();
}

Task<Result<void>> CatalogKeeper::carry_out(CatalogPlan& plan) {
    auto clear_it_away = [this, &plan] { clear_away(plan); };
    co_await blocking_.run(std::move(clear_it_away));
    const std::vector<wire::BucketEntry> buckets = plan.creations();
    if (plan.knows_otherwise()) MILLRACE_CO_TRY(state_.set_catalogs(plan.known(), state_.wanted()));
    auto create_it = [this, &plan, &buckets] { create(plan, buckets); };
    co_await blocking_.run(std::move(create_it));
    plan.finish();
    co_return state_.set_catalogs(plan.known(), plan.problems().empty() ? wire::Catalog{} : plan.wanted());
}

void CatalogKeeper::clear_away(CatalogPlan& plan) {
    for (const std::string& uid : plan.destructions()) {
        const std::optional<std::string> name = store_.bucket_of_uid(uid);
        const Result<void> outcome = name ? store_.destroy_bucket(*name) : Result<void>();
        if (name && outcome) log::info("bucket destroyed", {{"bucket", *name}});
        plan.destroyed(uid, name.value_or(""), outcome);
    }
    const std::vector<store::BucketRenaming> renamings = plan.renamings();
    if (renamings.empty()) return;
    const Result<void> outcome = store_.rename_buckets(renamings);
    for (const store::BucketRenaming& renaming : renamings) {
        if (!outcome) break;
        if (plan.is_wanted(renaming.uid)) {
            log::info("bucket renamed", {{"bucket", renaming.from}, {"name", renaming.to}});
        } else {
            log::warn("a bucket that the catalog does not know any more is kept under another name", {{"bucket", renaming.from}, {"name", renaming.to}});
        }
    }
    plan.renamed(renamings, outcome);
}

void CatalogKeeper::create(CatalogPlan& plan, const std::vector<wire::BucketEntry>& buckets) {
    for (const wire::BucketEntry& bucket : buckets) {
        const bool is_here = store_.has_bucket(bucket.name);
        const Result<void> outcome = is_here ? Result<void>() : store_.create_bucket(bucket.name, bucket.small_object_bytes_max, bucket.uid);
        if (!is_here && outcome) log::info("bucket created", {{"bucket", bucket.name}});
        plan.created(bucket, outcome);
    }
}

Task<void> CatalogKeeper::stop() {
    stopping_ = true;
    woken_.set();
    co_await tasks_.join();
}

}  // namespace millrace::worker
