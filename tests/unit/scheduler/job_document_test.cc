#include "scheduler/job_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/scheduler/fixture.h"

namespace millrace::scheduler {
namespace {

using nlohmann::json;
using wire::SliceState;

json slices_of(const Job& job) { return json::parse(job_document({.job = job}, everyone, Detail::full, kNow)).at("slices"); }

TEST(JobDocument, ASliceIsCurrentOnceItHasAnsweredTheNewestCommand) {
    Job job = running_job();
    hear_all(job, SliceState::running);
    ASSERT_TRUE(cancel(job, kNow));
    hear(job, "t1", SliceState::stopped);
    ASSERT_TRUE(resume(job));
    ASSERT_TRUE(cancel(job, kNow));
    hear(job, "t2", SliceState::stopped);
    const json slices = slices_of(job);
    EXPECT_EQ(slices.at(0).at("state"), "stopped") << "of the first cancel: it may have run since";
    EXPECT_FALSE(slices.at(0).at("current"));
    EXPECT_EQ(slices.at(1).at("state"), "stopped");
    EXPECT_TRUE(slices.at(1).at("current"));
}

TEST(JobDocument, ASliceThatWasNeverHeardOfIsNotCurrent) {
    const json slices = slices_of(make_job());
    EXPECT_EQ(slices.at(0).at("state"), "unknown");
    EXPECT_FALSE(slices.at(0).at("current"));
}

}  // namespace
}  // namespace millrace::scheduler
