#include <atomic>
#include <latch>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class LocalStoreThreads : public StoreFixture {
protected:
    // Sizes on both sides of the threshold, so that forms change, too.
    static std::string text(unsigned seed) { return std::to_string(seed) + content(seed % 2 == 0 ? 200 : 3000, seed); }

    static Result<ObjectInfo> put_on(Loop& loop, LocalStore& store, const std::string& name, const std::string& text) {
        MILLRACE_TRY_ASSIGN(auto writer, store.begin_write("photos", name, {}));
        MILLRACE_TRY(run_blocking(loop, writer->write(as_bytes(text))));
        return run_blocking(loop, writer->commit());
    }
};

TEST_F(LocalStoreThreads, WritersOfOneNameDoNotMix) {
    constexpr unsigned kThreads = 4;
    constexpr unsigned kRounds = 60;
    std::latch start(kThreads + 1);
    std::atomic<bool> writing = true;
    std::atomic<int> damaged = 0;
    std::vector<std::vector<ObjectInfo>> written(kThreads);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            Loop loop("writer");
            start.arrive_and_wait();
            for (unsigned i = 0; i < kRounds; ++i) {
                const auto info = put_on(loop, *store_, "name", text(t * kRounds + i));
                if (info) written[t].push_back(*info);
            }
        });
    }
    std::thread reader([&] {
        Loop loop("reader");
        start.arrive_and_wait();
        while (writing) {
            const auto verified = run_blocking(loop, store_->verify("photos", "name"));
            if (!verified && verified.error().code != Code::not_found) ++damaged;
            if (!store_->sync()) ++damaged;  // removes files under the readers
        }
    });
    for (std::thread& thread : threads) thread.join();
    writing = false;
    reader.join();
    EXPECT_EQ(damaged, 0);

    std::set<std::uint64_t> versions;
    std::set<std::uint64_t> creations;
    ObjectInfo newest;
    for (const auto& infos : written) {
        EXPECT_EQ(infos.size(), kRounds);
        for (std::size_t i = 0; i < infos.size(); ++i) {
            EXPECT_TRUE(versions.insert(infos[i].version).second);
            creations.insert(infos[i].created_seq);
            if (i > 0) EXPECT_GT(infos[i].version, infos[i - 1].version);
            if (infos[i].version > newest.version || newest.created_seq == 0) newest = infos[i];
        }
    }
    EXPECT_EQ(creations.size(), 1u);
    const ObjectInfo stored = *store_->stat("photos", "name");
    EXPECT_EQ(stored.version, newest.version);
    EXPECT_EQ(stored.checksum, newest.checksum);
    EXPECT_TRUE(verify("name"));
    ASSERT_TRUE(store_->sync());
    EXPECT_EQ(files_on_disk(), stored.size > kSmallMax ? 1u : 0u);
}

TEST_F(LocalStoreThreads, EveryObjectBelowTheCounterExists) {
    constexpr unsigned kThreads = 3;
    constexpr unsigned kObjects = 150;
    std::latch start(kThreads + 1);
    std::atomic<unsigned> running = kThreads;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            Loop loop("writer");
            start.arrive_and_wait();
            for (unsigned i = 0; i < kObjects; ++i) {
                EXPECT_TRUE(put_on(loop, *store_, std::to_string(t) + "-" + std::to_string(i), text(i)));
            }
            --running;
        });
    }
    start.arrive_and_wait();
    const auto below = [&](std::uint64_t counter) {
        std::size_t count = 0;
        const auto page = store_->scan("photos", "", "", 10'000);
        for (const ListedObject& object : page->objects) count += object.info.created_seq < counter;
        return count;
    };
    while (running > 0) {
        const std::uint64_t counter = store_->next_created_seq();
        const std::size_t first = below(counter);
        EXPECT_EQ(below(counter), first);  // none turns up later
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(below(store_->next_created_seq()), kThreads * kObjects);
}

TEST_F(LocalStoreThreads, BucketIsDestroyedUnderItsWriters) {
    constexpr unsigned kThreads = 3;
    std::latch start(kThreads + 1);
    std::atomic<int> unexpected = 0;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            Loop loop("writer");
            for (unsigned i = 0;; ++i) {
                const auto info = put_on(loop, *store_, std::to_string(t) + "-" + std::to_string(i), text(i));
                if (i == 0) start.arrive_and_wait();
                if (info) continue;
                unexpected += info.error().code != Code::not_found;
                return;
            }
        });
    }
    start.arrive_and_wait();
    EXPECT_TRUE(store_->destroy_bucket("photos"));
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(unexpected, 0);
    store_->wait_for_removals();
    EXPECT_EQ(files_on_disk(), 0u);
    ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));
    EXPECT_TRUE(store_->scan("photos", "", "", 10)->objects.empty());
}

}  // namespace
}  // namespace millrace::store
